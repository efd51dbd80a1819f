//! Texts as they come out of files and pipes: with marks, directives, several JSON objects in a row, or inside another document.
//!
//! Everything here is about text; what the documents mean is for others.

use crate::error::{Place, ScenarioError};

use super::parse::{Parsed, parse_stream};
use super::{Node, Repeated};

/// All documents of a file of manifests: a byte order mark and `%YAML` lines are skipped, JSON objects may follow one another.
pub fn parse_manifests(source: &str, text: &str) -> Result<Vec<Parsed>, ScenarioError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        let objects = objects(text).unwrap_or_default();
        if objects.len() > 1 {
            let parts: Vec<_> =
                objects.into_iter().map(|(line, object)| part(source, object, (line, 0))).collect::<Result<_, _>>()?;
            return Ok(parts.into_iter().flatten().collect());
        }
    }
    if text.lines().any(|line| line.starts_with("%YAML")) {
        // A comment in its place keeps the lines where they are.
        let plain: Vec<String> = text
            .lines()
            .map(|line| if line.starts_with("%YAML") { format!("#{line}") } else { line.to_owned() })
            .collect();
        return parse_stream(source, &(plain.join("\n") + "\n"));
    }
    parse_stream(source, text)
}

/// The documents in a text inside a document (a block below a key), with places of the outer file.
pub fn parse_block(node: &Node) -> Result<Vec<Node>, ScenarioError> {
    let Place { source, line, column } = &node.place;
    let parsed = part(source, node.text().unwrap_or_default(), (line.saturating_sub(1), column.saturating_sub(1)))?;
    Ok(parsed.into_iter().map(|parsed| parsed.node).collect())
}

/// A part of a file that begins below some lines of it and behind some columns.
fn part(source: &str, text: &str, (lines, columns): (u32, u32)) -> Result<Vec<Parsed>, ScenarioError> {
    let moved = |mut error: ScenarioError| {
        match &mut error {
            ScenarioError::Syntax { place, .. } => place.move_by(lines, columns),
            ScenarioError::WrongValue { at, .. } => at.place.move_by(lines, columns),
            _ => {}
        }
        error
    };
    let mut parsed = parse_stream(source, text).map_err(moved)?;
    for Parsed { node, repeated } in &mut parsed {
        node.move_by(lines, columns);
        for Repeated { place, first_line, .. } in repeated {
            place.move_by(lines, columns);
            *first_line += lines;
        }
    }
    Ok(parsed)
}

/// JSON objects that follow one another, each with the number of lines before the one it begins in; `None` if there is anything else.
fn objects(text: &str) -> Option<Vec<(u32, &str)>> {
    let mut found = Vec::new();
    let (mut depth, mut line, mut is_quoted, mut is_escaped) = (0usize, 0u32, false, false);
    let mut begun = (0usize, 0u32);
    for (position, letter) in text.char_indices() {
        match letter {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' if depth > 0 => is_quoted = !is_quoted,
            '{' | '[' if !is_quoted => {
                if depth == 0 {
                    begun = (position, line);
                }
                depth += 1;
            }
            '}' | ']' if !is_quoted => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found.push((begun.1, &text[begun.0..=position]));
                }
            }
            _ if depth == 0 && !letter.is_whitespace() && letter != '-' => return None,
            _ => {}
        }
        line += u32::from(letter == '\n');
    }
    // What is left open is for the parser to complain about.
    if depth > 0 {
        found.push((begun.1, &text[begun.0..]));
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> Vec<(u32, String)> {
        let parsed = parse_manifests("f.json", text).unwrap();
        parsed.into_iter().map(|parsed| (parsed.node.place.line, parsed.node.to_json().to_string())).collect()
    }

    #[test]
    fn json_objects_in_a_row_are_documents_of_their_own_where_they_stand() {
        let found = places("{\"a\": \"}{\"}\n{\n \"b\": [1]\n}{\"c\": 2}\n");
        let expected = [(1, "{\"a\":\"}{\"}"), (2, "{\"b\":[1]}"), (4, "{\"c\":2}")];
        assert_eq!(found, expected.map(|(line, text)| (line, text.to_owned())));
    }

    #[test]
    fn marks_directives_and_line_ends_of_other_systems_are_no_part_of_a_document() {
        let found = places("\u{feff}%YAML 1.2\r\n---\r\na: 1\r\n---\r\n# nothing\r\n---\r\nnull\r\n---\r\nb: x\r\n");
        assert_eq!(found, [(3, "{\"a\":1}".to_owned()), (9, "{\"b\":\"x\"}".to_owned())]);
    }

    #[test]
    fn the_last_value_of_a_key_given_twice_counts_and_the_first_is_named() {
        let parsed = parse_manifests("f.yaml", "a: 1\nb: 2\na: 3\n").unwrap();
        assert_eq!(parsed[0].node.to_json().to_string(), "{\"a\":3,\"b\":2}");
        let repeated = &parsed[0].repeated[0];
        assert_eq!((repeated.key.as_str(), repeated.place.line, repeated.first_line), ("a", 3, 1));
    }
}
