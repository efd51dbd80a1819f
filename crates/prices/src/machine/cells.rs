//! The embedded tables: plain CSV without quotes, read cell by cell. They ship with the program, so a mistake in one is ours.

/// The cells of one line, from left to right.
pub struct Cells<'a> {
    rest: std::str::Split<'a, char>,
}

impl<'a> Cells<'a> {
    /// The lines below the header.
    pub fn lines(text: &'a str) -> impl Iterator<Item = Self> {
        text.lines().skip(1).filter(|line| !line.is_empty()).map(|line| Self { rest: line.split(',') })
    }

    /// The next cell.
    pub fn next(&mut self) -> &'a str {
        self.rest.next().expect("every line of an embedded table has all its cells")
    }

    /// The next cell as text of its own.
    pub fn text(&mut self) -> String {
        self.next().to_owned()
    }

    /// The next cell as a number; `None` if it is empty.
    pub fn number<T: std::str::FromStr>(&mut self) -> Option<T> {
        let cell = self.next();
        (!cell.is_empty()).then(|| cell.parse().ok().expect("cells of an embedded table are what they should be"))
    }
}
