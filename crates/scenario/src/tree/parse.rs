//! YAML text to trees.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::error::{At, Place, ScenarioError};

use super::{Entry, Node, Value};

/// Nodes one input may grow to by aliases: enough for any fleet, too few for a bomb.
const NODES_MAX: usize = 1_000_000;

/// A document and what its text says twice.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The document; of a key given twice the last value.
    pub node: Node,
    /// Keys given twice in one mapping.
    pub repeated: Vec<Repeated>,
}

/// A key given twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The key.
    pub key: String,
    /// Where it stands again.
    pub place: Place,
    /// Line of the first.
    pub first_line: u32,
}

impl Repeated {
    /// As the error it is where only one can be meant.
    pub fn into_error(self) -> ScenarioError {
        let Self { key, place, first_line } = self;
        ScenarioError::DuplicateKey { at: Box::new(At { place, path: String::new() }), key, first_line }
    }
}

/// All documents of a YAML (or JSON) stream; empty ones are left out, a key given twice is an error.
pub fn parse_documents(source: &str, text: &str) -> Result<Vec<Node>, ScenarioError> {
    let strict = |parsed: Parsed| match parsed.repeated.into_iter().next() {
        Some(repeated) => Err(repeated.into_error()),
        None => Ok(parsed.node),
    };
    parse_stream(source, text)?.into_iter().map(strict).collect()
}

/// The same as clients of the API server read it: of a key given twice the last value counts.
pub fn parse_stream(source: &str, text: &str) -> Result<Vec<Parsed>, ScenarioError> {
    let mut builder = Builder::new(source);
    for next in Parser::new_from_str(text) {
        let (event, span) = next.map_err(|error| ScenarioError::Syntax {
            place: Place::new(&builder.source, error.marker().line(), error.marker().col() + 1),
            reason: error.info(),
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.documents.into_iter().filter(|parsed| parsed.node.value != Value::Null).collect())
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
    documents: Vec<Parsed>,
    repeated: Vec<Repeated>,
    nodes: usize,
}

struct Open {
    place: Place,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<Entry>, positions: BTreeMap<String, usize>, key: Option<(String, Place)> },
}

impl Builder {
    fn new(source: &str) -> Self {
        Self {
            source: Arc::from(source),
            open: Vec::new(),
            anchors: BTreeMap::new(),
            documents: Vec::new(),
            repeated: Vec::new(),
            nodes: 0,
        }
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
                let content = Content::Map { entries: Vec::new(), positions: BTreeMap::new(), key: None };
                self.open.push(Open { place, anchor, content });
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
            None => self.documents.push(Parsed { node, repeated: std::mem::take(&mut self.repeated) }),
            Some(Content::List(items)) => items.push(node),
            Some(Content::Map { entries, positions, key }) => match key.take() {
                Some((name, place)) => {
                    if let Some(first) = positions.get(&name) {
                        let first_line = entries[*first].place.line;
                        self.repeated.push(Repeated { key: name.clone(), place: place.clone(), first_line });
                        entries[*first] = Entry { key: name, place, value: node };
                    } else {
                        positions.insert(name.clone(), entries.len());
                        entries.push(Entry { key: name, place, value: node });
                    }
                }
                None => *key = Some(checked_key(node)?),
            },
        }
        Ok(())
    }
}

/// A key must be a scalar.
fn checked_key(node: Node) -> Result<(String, Place), ScenarioError> {
    match node.value {
        Value::Scalar { text, .. } => Ok((text, node.place)),
        Value::Null => Ok(("null".to_owned(), node.place)),
        Value::List(_) | Value::Map(_) => Err(ScenarioError::WrongValue {
            at: node.locate(""),
            found: "a list or mapping as a key".to_owned(),
            expected: "a word".to_owned(),
        }),
    }
}

/// `<<: *defaults` puts the keys of another mapping in, those written here winning, then those of earlier maps of a list.
fn merged(entries: Vec<Entry>) -> Vec<Entry> {
    if entries.iter().all(|entry| entry.key != "<<") {
        return entries;
    }
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.key == "<<");
    let mut present: BTreeSet<String> = own.iter().map(|entry| entry.key.clone()).collect();
    for merge in merges {
        let sources = match merge.value.value {
            Value::List(items) => items,
            _ => vec![merge.value],
        };
        for entry in sources.iter().flat_map(Node::entries) {
            if present.insert(entry.key.clone()) {
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
