//! Text in places where some letters are commands.

/// Text that Markdown shows as it is: no HTML, link, emphasis, code, further cell of a table or end of a line comes of it.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut before, mut rest) = (' ', text.chars().peekable());
    while let Some(letter) = rest.next() {
        match letter {
            // Inside a word it is no emphasis, and names of columns are full of it.
            '_' if before.is_alphanumeric() && rest.peek().is_some_and(|after| after.is_alphanumeric()) => {
                out.push('_');
            }
            '<' => out += "&lt;",
            '&' => out += "&amp;",
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', letter]),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
        before = letter;
    }
    out
}

/// Longest name, in bytes: a file may be called so on every system, with an ending.
const LENGTH_MAX: usize = 200;

/// Why a name that a stranger made up cannot stand in a terminal, a table and a page as it is; `None` if it can.
pub fn not_shown(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("is empty; tables need a name")
    } else if name.len() > LENGTH_MAX {
        Some("is longer than 200 bytes; files are called so")
    } else if name.contains(char::is_control) {
        Some("has a control character, which a terminal would obey")
    } else if name.starts_with(['=', '+', '-', '@']) {
        Some("starts with `=`, `+`, `-` or `@`; a spreadsheet would compute it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_obeyed() {
        assert_eq!(markdown("<img src=x>|[a](http://b)\n`c`"), "&lt;img src=x>\\|\\[a\\](http://b) \\`c\\`");
        assert_eq!(markdown("hpa-60 %"), "hpa-60 %");
        assert_eq!(markdown("_a_ slo_attainment"), "\\_a\\_ slo_attainment");
    }

    #[test]
    fn names_of_every_language_are_fine() {
        assert!(
            ["triton day", "HPA (default)", "naïve", "日本", "a=b", "50% | spot"]
                .iter()
                .all(|name| not_shown(name).is_none())
        );
    }

    #[test]
    fn what_acts_where_it_is_shown_is_refused() {
        let long = "x".repeat(300);
        for name in ["", " ", "a\nb", "\u{1b}[2J", "=1+1", "-x", "@x", &long] {
            assert!(not_shown(name).is_some(), "{name:?}");
        }
    }
}
