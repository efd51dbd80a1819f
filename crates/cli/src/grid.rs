//! Small tables for people: aligned for a terminal, Markdown, or CSV.

use crate::args::Format;

/// Rows of cells under a head. The first columns hold words and are aligned left, the others right.
pub struct Grid {
    head: Vec<String>,
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// An empty table whose first `words` columns hold words.
    pub fn new(head: &[&str], words: usize) -> Self {
        Self { head: head.iter().map(|&name| name.to_owned()).collect(), words, rows: Vec::new() }
    }

    /// Adds a row, one cell per column.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.head.len(), "a row has a cell per column");
        self.rows.push(cells);
    }

    /// The table in `format`.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Table => self.aligned(),
            Format::Markdown => self.markdown(),
            Format::Csv => self.csv(),
            Format::Json => self.json(),
        }
    }

    fn lines(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.head).chain(&self.rows)
    }

    fn aligned(&self) -> String {
        let widths: Vec<usize> = (0..self.head.len())
            .map(|column| self.lines().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in self.lines() {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(
                    |(column, (cell, &width))| {
                        if column < self.words { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                    },
                )
                .collect();
            text += cells.join("  ").trim_end();
            text += "\n";
        }
        text
    }

    fn markdown(&self) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escaped = |row: &Vec<String>| row.iter().map(|cell| names::markdown(cell)).collect();
        let rule = (0..self.head.len()).map(|column| if column < self.words { "---" } else { "---:" }.to_owned());
        let mut text = line(escaped(&self.head)) + &line(rule.collect());
        self.rows.iter().for_each(|row| text += &line(escaped(row)));
        text
    }

    fn csv(&self) -> String {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in self.lines() {
            writer.write_record(row).expect("memory takes every record, and all have the same length");
        }
        String::from_utf8(writer.into_inner().expect("memory is always flushed")).expect("cells are text")
    }

    fn json(&self) -> String {
        let object = |row: &Vec<String>| -> serde_json::Map<String, serde_json::Value> {
            self.head.iter().cloned().zip(row.iter().map(|cell| cell.clone().into())).collect()
        };
        let rows: Vec<_> = self.rows.iter().map(object).collect();
        serde_json::to_string_pretty(&rows).expect("text is always JSON") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_numbers_right() {
        let mut grid = Grid::new(&["policy", "cost"], 1);
        grid.row(vec!["hpa".to_owned(), "$9.00".to_owned()]);
        grid.row(vec!["warm|pool".to_owned(), "$12.50".to_owned()]);
        assert_eq!(grid.render(Format::Table), "policy       cost\nhpa         $9.00\nwarm|pool  $12.50\n");
        assert_eq!(
            grid.render(Format::Markdown),
            "| policy | cost |\n| --- | ---: |\n| hpa | $9.00 |\n| warm\\|pool | $12.50 |\n"
        );
    }
}
