//! Words of command lines that a reader may copy.

/// `text` as a shell takes it back.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-=:,%+@".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        assert_eq!(shell_word("scenarios/triton-day"), "scenarios/triton-day");
        assert_eq!(shell_word("my scenario's"), r"'my scenario'\''s'");
        assert_eq!(shell_word(""), "''");
    }
}
