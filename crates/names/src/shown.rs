//! Text in places where some letters are commands.

/// Text that Markdown shows as it is: no HTML, link, emphasis, code, further cell of a table or end of a line comes of it.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => out += "&lt;",
            '&' => out += "&amp;",
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' => out.extend(['\\', letter]),
            control if control.is_control() => out.push(' '),
            other => out.push(other),
        }
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
    }
}
