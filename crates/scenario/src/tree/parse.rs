//! YAML text to trees.

use std::collections::BTreeMap;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::error::{At, Place, ScenarioError};

use super::{Entry, Node, Value};

/// Nodes one input may grow to by aliases: enough for any fleet, too few for a bomb.
const NODES_MAX: usize = 1_000_000;

/// All documents of a YAML (or JSON) stream; empty ones are left out.
pub fn parse_documents(source: &str, text: &str) -> Result<Vec<Node>, ScenarioError> {
    let mut builder = Builder::new(source);
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| ScenarioError::Syntax {
            place: Place::new(&builder.source, error.marker().line(), error.marker().col() + 1),
            reason: error.info(),
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.documents.into_iter().filter(|node| node.value != Value::Null).collect())
}

/// One value as written on a command line; every node of it stands at `source`.
pub fn parse_value(source: &str, text: &str) -> Result<Node, ScenarioError> {
    let mut documents = parse_documents(source, text)?;
    let source: Arc<str> = Arc::from(source);
    let mut node = documents.pop().unwrap_or(Node { value: Value::Null, place: Place::new(&source, 0, 0) });
    forget_lines(&mut node);
    Ok(node)
}

fn forget_lines(node: &mut Node) {
    node.place.line = 0;
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(forget_lines),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| {
            entry.place.line = 0;
            forget_lines(&mut entry.value);
        }),
        Value::Null | Value::Scalar { .. } => {}
    }
}

/// Collections still open, innermost last, and what is finished.
struct Builder {
    source: Arc<str>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    documents: Vec<Node>,
    nodes: usize,
}

struct Open {
    place: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, key: Option<(String, Place)> },
}

impl Builder {
    fn new(source: &str) -> Self {
        Self { source: Arc::from(source), open: Vec::new(), anchors: BTreeMap::new(), documents: Vec::new(), nodes: 0 }
    }

    fn place(&self, span: Span) -> Place {
        Place::new(&self.source, span.start.line(), span.start.col() + 1)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), ScenarioError> {
        let place = self.place(span);
        match event {
            Event::Scalar(text, style, anchor, _) => {
                let plain = matches!(style, ScalarStyle::Plain);
                let value = if plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL") {
                    Value::Null
                } else {
                    Value::Scalar { text: text.into_owned(), plain }
                };
                self.finish(Node { value, place }, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.open.push(Open { place, anchor, content: Content::List(Vec::new()) });
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                self.open.push(Open { place, anchor, content: Content::Map { entries: Vec::new(), key: None } });
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Open { place, anchor, content } = self.open.pop().expect("the parser balances starts and ends");
                let value = match content {
                    Content::List(items) => Value::List(items),
                    Content::Map { entries, .. } => Value::Map(merged(entries)),
                };
                self.finish(Node { value, place }, anchor)
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().ok_or_else(|| ScenarioError::Syntax {
                    place: place.clone(),
                    reason: "an alias inside the value it names".to_owned(),
                })?;
                self.nodes += size(&node);
                self.finish(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn finish(&mut self, node: Node, anchor: usize) -> Result<(), ScenarioError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            let reason = format!("more than {NODES_MAX} values once aliases are expanded");
            return Err(ScenarioError::Syntax { place: node.place, reason });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut().map(|open| &mut open.content) {
            None => self.documents.push(node),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, key }) => match key.take() {
                Some((name, place)) => entries.push(Entry { key: name, place, value: node }),
                None => *key = Some(checked_key(node, entries)?),
            },
        }
        Ok(())
    }
}

/// A key must be a scalar and new in its mapping.
fn checked_key(node: Node, entries: &[Entry]) -> Result<(String, Place), ScenarioError> {
    let at = |place: &Place| Box::new(At { place: place.clone(), path: String::new() });
    let key = match node.value {
        Value::Scalar { text, .. } => text,
        Value::Null => "null".to_owned(),
        Value::List(_) | Value::Map(_) => {
            return Err(ScenarioError::WrongValue {
                at: at(&node.place),
                found: "a list or mapping as a key".to_owned(),
                expected: "a word".to_owned(),
            });
        }
    };
    match entries.iter().find(|entry| entry.key == key) {
        Some(first) => Err(ScenarioError::DuplicateKey { at: at(&node.place), key, first_line: first.place.line }),
        None => Ok((key, node.place)),
    }
}

/// `<<: *defaults` puts the keys of another mapping in, those written here winning.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.key == "<<");
    for merge in merges {
        let sources = match merge.value.value {
            Value::List(items) => items,
            _ => vec![merge.value],
        };
        for entry in sources.iter().flat_map(Node::entries) {
            if own.iter().all(|present| present.key != entry.key) {
                own.push(entry.clone());
            }
        }
    }
    own
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
        Value::Null | Value::Scalar { .. } => 0,
    }
}
