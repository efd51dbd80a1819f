//! What settings change in the documents, as YAML to paste.
//!
//! Keys that are the same before and after are left out. A list stands whole, since YAML has no way to say "the second entry of it".

use std::fmt::Write as _;

use serde_json::{Map, Value};

/// The changed keys of each document that is in `files`, a YAML document each, headed by `apiVersion`, `kind` and `metadata`; nothing if
/// nothing is changed. Documents that an operator makes of others are in no file, and follow from those.
pub fn changes(before: &Value, after: &Value, files: &[Value]) -> String {
    let mut text = String::new();
    let listed = |documents: &Value| documents.as_array().cloned().unwrap_or_default();
    let (before, after) = (listed(before), listed(after));
    // Values of charts and rules of adapters have neither kind nor name, and no knob.
    let is_named = |one: &&Value| one["kind"].is_string() && one["metadata"]["name"].is_string();
    for new in after.iter().filter(is_named) {
        let is_same = |old: &&Value| identity(old) == identity(new);
        let Some(old) = before.iter().find(is_same).filter(|_| files.iter().any(|file| is_same(&file))) else {
            continue;
        };
        let Some(Value::Object(mut changed)) = difference(old, new) else { continue };
        // What says which document it is comes first.
        let mut metadata = Map::new();
        for key in ["name", "namespace"] {
            metadata.extend(new["metadata"].get(key).map(|value| (key.to_owned(), value.clone())));
        }
        if let Some(Value::Object(more)) = changed.remove("metadata") {
            metadata.extend(more);
        }
        let mut fragment = Map::new();
        for key in ["apiVersion", "kind"] {
            fragment.insert(key.to_owned(), new[key].clone());
        }
        fragment.insert("metadata".to_owned(), Value::Object(metadata));
        fragment.extend(changed);
        let fragment = Value::Object(fragment);
        if !text.is_empty() {
            text.push_str("---\n");
        }
        write_below(&mut text, &fragment, 0);
    }
    text
}

fn identity(document: &Value) -> [&Value; 4] {
    let metadata = &document["metadata"];
    [&document["apiVersion"], &document["kind"], &metadata["name"], &metadata["namespace"]]
}

/// What of `new` is not in `old`.
fn difference(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (old, new) if old == new => None,
        (Value::Object(old), Value::Object(new)) => {
            let changed = new.iter().filter_map(|(key, value)| {
                let part = old.get(key).map_or_else(|| Some(value.clone()), |old| difference(old, value));
                Some((key.clone(), part?))
            });
            Some(Value::Object(changed.collect()))
        }
        _ => Some(new.clone()),
    }
}

/// A mapping's or a list's lines, or a word in a line of its own.
fn write_below(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(keys) => {
            for (key, value) in keys {
                let _ = write!(text, "{:indent$}{}:", "", word(key));
                match value {
                    Value::Object(keys) if !keys.is_empty() => {
                        text.push('\n');
                        write_below(text, value, indent + 2);
                    }
                    Value::Array(items) if !items.is_empty() => {
                        text.push('\n');
                        write_below(text, value, indent);
                    }
                    _ => {
                        let _ = writeln!(text, " {}", scalar(value));
                    }
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut lines = String::new();
                match item {
                    Value::Object(keys) if keys.is_empty() => {
                        let _ = writeln!(lines, "{:1$}{{}}", "", indent + 2);
                    }
                    Value::Array(items) if items.is_empty() => {
                        let _ = writeln!(lines, "{:1$}[]", "", indent + 2);
                    }
                    _ => write_below(&mut lines, item, indent + 2),
                }
                // The dash takes the place of the first line's last indent.
                lines.replace_range(indent..=indent, "-");
                text.push_str(&lines);
            }
        }
        _ => {
            let _ = writeln!(text, "{:indent$}{}", "", scalar(value));
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => word(text),
        other => other.to_string(),
    }
}

/// A text as every reader of YAML 1.1 and 1.2 takes it for text: in quotes, but for plain words and amounts with a unit.
fn word(text: &str) -> String {
    const OTHER_THAN_TEXT: &[&str] = &["y", "n", "yes", "no", "on", "off", "true", "false", "null", "inf", "nan"];
    let is_safe = text.chars().all(|one| one.is_ascii_alphanumeric() || "._-/%".contains(one));
    let is_word = text.starts_with(|one: char| one.is_ascii_alphabetic())
        && !OTHER_THAN_TEXT.contains(&text.to_ascii_lowercase().as_str());
    let is_amount = text.starts_with(|one: char| one.is_ascii_digit())
        && text.ends_with(|one: char| one.is_ascii_alphabetic() || one == '%')
        && !["0x", "0o", "0b"].iter().any(|base| text.starts_with(base))
        && text.parse::<f64>().is_err();
    if is_safe && (is_word || is_amount) { text.to_owned() } else { Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_changed_keys_stand_there_and_lists_whole() {
        let scenario = |hold: &str, size: u32| {
            json!({"apiVersion": "scalelab.dev/v1", "kind": "Scenario", "metadata": {"name": "s", "description": "d"}, "spec": {
                "traffic": {"scale": hold, "seed": 1}, "policies": [{"name": "a", "warmPool": {"size": size}}, {"name": "no", "x": []}]}})
        };
        let hpa = |most: u32| json!({"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"}, "spec": {"maxReplicas": most, "minReplicas": 1}});
        let before = json!([scenario("100%", 1), hpa(3)]);
        let after = json!([scenario("120%", 2), hpa(4)]);
        let files = before.as_array().unwrap();
        assert_eq!(changes(&before, &before, files), "");
        assert_eq!(
            changes(&before, &after, files),
            "apiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata:\n  name: s\nspec:\n  traffic:\n    scale: 120%\n  policies:\n  - name: a\n    warmPool:\n      size: 2\n  - name: \"no\"\n    x: []\n---\napiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata:\n  name: h\nspec:\n  maxReplicas: 4\n"
        );
    }

    #[test]
    fn texts_that_a_reader_could_take_for_something_else_are_quoted() {
        for plain in ["24h", "70%", "0.2/h", "leastRequests", "scalelab.dev/v1", "1500m"] {
            assert_eq!(word(plain), plain);
        }
        for other in ["", "8", "1e5", "0x1F", "Yes", "null", "a: b", "12:30", "$3.67/h", "-x", "a #b", "x\ny", ".inf"] {
            assert_eq!(word(other), Value::from(other).to_string());
        }
    }
}
