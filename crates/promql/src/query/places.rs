//! Where the selectors of a query stand in its text; the parser's tree does not say.

/// Goes through a text from selector to selector.
pub(super) struct Places<'a> {
    text: &'a str,
    cursor: usize,
}

impl<'a> Places<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, cursor: 0 }
    }

    /// Where the next selector begins: the one of this name, or one that begins with its brace. The cursor, if it is not found.
    pub fn next(&mut self, name: Option<&str>) -> usize {
        let mut position = self.cursor;
        while position < self.text.len() {
            let rest = &self.text[position..];
            let length = token(rest);
            let is_it = match name {
                Some(name) => &rest[..length] == name,
                None => rest.starts_with('{'),
            };
            if is_it {
                let after = position + if name.is_some() { length } else { 0 };
                self.cursor = after + matchers(&self.text[after..]);
                return position;
            }
            // Braces of selectors that are left out here (there are none in practice) must not hide what follows.
            position += length;
        }
        self.cursor
    }
}

/// Length of the token that begins a text.
pub(super) fn token(text: &str) -> usize {
    let first = text.chars().next().unwrap_or(' ');
    match first {
        '"' | '\'' | '`' => quoted(text, first),
        '#' => text.find('\n').unwrap_or(text.len()),
        letter if is_word(letter) => text.find(|letter| !is_word(letter)).unwrap_or(text.len()),
        other => other.len_utf8(),
    }
}

fn is_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_' || letter == ':' || letter == '.'
}

/// Length of a string with its quotes.
fn quoted(text: &str, mark: char) -> usize {
    let mut is_escaped = false;
    for (index, letter) in text.char_indices().skip(1) {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if mark != '`' => is_escaped = true,
            letter if letter == mark => return index + letter.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Length of the braces that begin a text, blanks before them included; 0 if there are none.
fn matchers(text: &str) -> usize {
    let blanks = text.len() - text.trim_start().len();
    if !text[blanks..].starts_with('{') {
        return 0;
    }
    let mut position = blanks;
    while position < text.len() {
        let rest = &text[position..];
        position += token(rest);
        if rest.starts_with('}') {
            return position;
        }
    }
    text.len()
}
