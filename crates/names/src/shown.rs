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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_is_obeyed() {
        assert_eq!(markdown("<img src=x>|[a](http://b)\n`c`"), "&lt;img src=x>\\|\\[a\\](http://b) \\`c\\`");
        assert_eq!(markdown("hpa-60 %"), "hpa-60 %");
        assert_eq!(markdown("_a_ slo_attainment"), "\\_a\\_ slo_attainment");
    }
}
