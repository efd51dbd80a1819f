//! What people write and the API server, or its client, takes or would take: nothing for something that is not there, numbers for text.

use crate::notes::Folded;
use crate::tree::{Node, Value, is_text_to_clients};

/// Mappings of text to text.
const TEXTS: [&str; 5] = ["labels", "annotations", "matchLabels", "nodeSelector", "data"];

/// Takes out what is nothing, and makes text of what can only be text; each such place is told to `folded`.
pub fn smooth(node: &mut Node, folded: &mut Folded) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| smooth(item, folded)),
        Value::Map(entries) => {
            for entry in entries.iter_mut() {
                if TEXTS.contains(&entry.key.as_str()) {
                    let values = entry.value.entries_mut().iter_mut();
                    values.for_each(|value| text(&mut value.value, &format!("{}.{}", entry.key, value.key), folded));
                }
                if entry.key == "env"
                    && let Value::List(items) = &mut entry.value.value
                {
                    let values = items.iter_mut().filter_map(|item| item.get_mut("value"));
                    values.for_each(|value| text(value, "env[].value", folded));
                }
                smooth(&mut entry.value, folded);
            }
            // To the API server an empty value is one that is not there.
            entries.retain(|entry| entry.value.value != Value::Null);
        }
        Value::Null | Value::Scalar { .. } => {}
    }
}

fn text(node: &mut Node, path: &str, folded: &mut Folded) {
    match &mut node.value {
        Value::Null => node.value = Value::Scalar { text: String::new(), plain: false },
        Value::Scalar { text, plain } if !is_text_to_clients(text, *plain) => {
            *plain = false;
            folded.text(format!("{}: {path}: `{text}`", node.place));
        }
        _ => {}
    }
}

/// What stands where a value belongs and was to be replaced by one before: `${VAR}`, `<placeholder>`, `{{ value }}`, `__VAR__`.
pub fn placeholder(text: &str) -> Option<&str> {
    let between = |open: &str, close: &str| {
        let start = text.find(open)?;
        let end = text[start..].find(close)? + start + close.len();
        (end > start + open.len() + close.len()).then(|| &text[start..end])
    };
    let named = |found: &&str| found.chars().any(char::is_alphabetic);
    [("${", "}"), ("$(", ")"), ("{{", "}}"), ("<", ">"), ("__", "__")]
        .into_iter()
        .find_map(|(open, close)| between(open, close))
        .filter(named)
        .or_else(|| {
            text.strip_prefix('$').filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_')).map(|_| text)
        })
}
