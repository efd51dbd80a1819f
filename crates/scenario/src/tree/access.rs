//! Paths of keys: `policies.hpa.spec.metrics[0].pods`.

use std::fmt::Write as _;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Into a mapping; or, in a list of named things, to the one of that name.
    Key(String),
    /// Into a list, counted from 0.
    Index(usize),
}

/// Reads a path. Keys that contain dots stand in brackets and quotes: `annotations["prometheus.io/port"]`.
pub fn parse_path(text: &str) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').ok_or_else(|| format!("`[` without `]` in path `{text}`"))?;
            segments.push(bracketed(&inner[..end], text)?);
            rest = &inner[end + 1..];
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("an empty step in path `{text}`"));
            }
            segments.push(Segment::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        if let Some(after) = rest.strip_prefix('.') {
            if after.is_empty() {
                return Err(format!("path `{text}` ends in a dot"));
            }
            rest = after;
        }
    }
    if segments.is_empty() { Err("the path is empty".to_owned()) } else { Ok(segments) }
}

fn bracketed(inner: &str, path: &str) -> Result<Segment, String> {
    let quoted = |mark: char| inner.strip_prefix(mark).and_then(|rest| rest.strip_suffix(mark));
    if let Some(key) = quoted('"').or_else(|| quoted('\'')) {
        return Ok(Segment::Key(key.to_owned()));
    }
    inner
        .parse()
        .map(Segment::Index)
        .map_err(|_| format!("`[{inner}]` in path `{path}` is neither a number nor a quoted key"))
}

/// The path below `root`, as a user would write it.
pub fn path_text(root: &str, path: &[Segment]) -> String {
    let mut text = root.to_owned();
    for segment in path {
        let written = match segment {
            Segment::Index(index) => write!(text, "[{index}]"),
            Segment::Key(key) if key.contains(['.', '[']) => write!(text, "[\"{key}\"]"),
            Segment::Key(key) if text.is_empty() => write!(text, "{key}"),
            Segment::Key(key) => write!(text, ".{key}"),
        };
        written.expect("writing to a String cannot fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_survives_being_read_and_written() {
        for path in ["run.duration", "policies.hpa.spec.metrics[0].pods", "a[\"b.c/d\"].e", "list[1][2]"] {
            assert_eq!(path_text("", &parse_path(path).unwrap()), path);
        }
    }

    #[test]
    fn broken_paths_are_refused() {
        for path in ["", "a..b", "a.", "a[1", "a[x]", ".a"] {
            assert!(parse_path(path).is_err(), "{path}");
        }
    }
}
