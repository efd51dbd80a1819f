//! serde over trees: typed values out of nodes, with the place in every error.

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess, VariantAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Entry, Node, Segment, TreeError, Value};

/// What a scalar written without quotes stands for: the YAML 1.2 core schema, so that `no` and `on` are words.
enum Scalar<'a> {
    Text(&'a str),
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

fn resolve(text: &str, plain: bool) -> Scalar<'_> {
    if !plain {
        return Scalar::Text(text);
    }
    match text {
        "true" | "True" | "TRUE" => return Scalar::Bool(true),
        "false" | "False" | "FALSE" => return Scalar::Bool(false),
        _ => {}
    }
    // Rust reads `inf`, `nan` and `infinity` as numbers; YAML does not.
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        || text.ends_with(char::is_alphabetic)
    {
        return Scalar::Text(text);
    }
    if let Ok(number) = text.parse::<u64>() {
        Scalar::Unsigned(number)
    } else if let Ok(number) = text.parse::<i64>() {
        Scalar::Signed(number)
    } else {
        text.parse().map_or(Scalar::Text(text), Scalar::Float)
    }
}

/// The boolean that a word without quotes is in YAML 1.1, which clients of the API server read.
fn yaml_1_1_bool(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// True if the API server is sent something else than text for this scalar.
pub fn is_text_to_clients(text: &str, plain: bool) -> bool {
    matches!(resolve(text, plain), Scalar::Text(_)) && !(plain && yaml_1_1_bool(text).is_some())
}

/// A scalar as JSON has it.
pub fn scalar_to_json(text: &str, plain: bool) -> serde_json::Value {
    match resolve(text, plain) {
        Scalar::Text(text) => text.into(),
        Scalar::Bool(value) => value.into(),
        Scalar::Unsigned(value) => value.into(),
        Scalar::Signed(value) => value.into(),
        Scalar::Float(value) => value.into(),
    }
}

impl Node {
    /// What this is, for messages.
    fn describe(&self) -> String {
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a mapping".to_owned(),
            Value::Scalar { text, plain } => match resolve(text, *plain) {
                Scalar::Text(text) => format!("text `{text}`"),
                Scalar::Bool(value) => format!("boolean `{value}`"),
                _ => format!("number `{text}`"),
            },
        }
    }

    fn wrong<T>(&self, expected: &str) -> Result<T, TreeError> {
        Err(TreeError::wrong_value(self.describe(), expected).or_at(&self.place))
    }

    fn visit_list<'de, V: Visitor<'de>>(&'de self, items: &'de [Self], visitor: V) -> Result<V::Value, TreeError> {
        visitor.visit_seq(Items { items: items.iter().enumerate() }).map_err(|error| error.or_at(&self.place))
    }

    fn visit_mapping<'de, V: Visitor<'de>>(
        &'de self,
        entries: &'de [Entry],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        let access = Entries { entries: entries.iter(), pending: None };
        visitor.visit_map(access).map_err(|error| error.or_at(&self.place))
    }

    fn visit_number<'de, V: Visitor<'de>>(&'de self, visitor: V, expected: &str) -> Result<V::Value, TreeError> {
        let Value::Scalar { text, plain } = &self.value else { return self.wrong(expected) };
        match resolve(text, *plain) {
            Scalar::Unsigned(value) => visitor.visit_u64(value),
            Scalar::Signed(value) => visitor.visit_i64(value),
            Scalar::Float(value) => visitor.visit_f64(value),
            Scalar::Text(_) | Scalar::Bool(_) => return self.wrong(expected),
        }
        .map_err(|error: TreeError| error.or_at(&self.place))
    }

    fn visit_text<'de, V: Visitor<'de>>(&'de self, visitor: V) -> Result<V::Value, TreeError> {
        let Value::Scalar { text, plain } = &self.value else { return self.wrong("text") };
        match resolve(text, *plain) {
            Scalar::Text(text) => visitor.visit_borrowed_str(text).map_err(|error: TreeError| error.or_at(&self.place)),
            _ => self.wrong(&format!("text; put it in quotes: \"{text}\"")),
        }
    }
}

/// Integer and number methods differ only in what they expect.
macro_rules! numbers {
    ($($method:ident: $expected:literal),*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
            self.visit_number(visitor, $expected)
        })*
    };
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = TreeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match &self.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar { text, plain } => match resolve(text, *plain) {
                Scalar::Text(text) => visitor.visit_borrowed_str(text),
                Scalar::Bool(value) => visitor.visit_bool(value),
                Scalar::Unsigned(value) => visitor.visit_u64(value),
                Scalar::Signed(value) => visitor.visit_i64(value),
                Scalar::Float(value) => visitor.visit_f64(value),
            },
            Value::List(items) => self.visit_list(items, visitor),
            Value::Map(entries) => self.visit_mapping(entries, visitor),
        }
        .map_err(|error: TreeError| error.or_at(&self.place))
    }

    numbers! {
        deserialize_i8: "a whole number", deserialize_i16: "a whole number", deserialize_i32: "a whole number",
        deserialize_i64: "a whole number", deserialize_u8: "a whole number", deserialize_u16: "a whole number",
        deserialize_u32: "a whole number", deserialize_u64: "a whole number", deserialize_f32: "a number",
        deserialize_f64: "a number"
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match &self.value {
            // `yes` and `on` are booleans to the API server's clients; where nothing else is meant they may be here too.
            Value::Scalar { text, plain } => match resolve(text, *plain) {
                Scalar::Bool(value) => visitor.visit_bool(value),
                _ => match yaml_1_1_bool(text).filter(|_| *plain) {
                    Some(value) => visitor.visit_bool(value),
                    None => self.wrong("`true` or `false`"),
                },
            },
            _ => self.wrong("`true` or `false`"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.visit_text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        self.visit_text(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, TreeError> {
        visitor.visit_newtype_struct(self)
    }

    /// As the API server does, an empty value is an empty list.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match &self.value {
            Value::List(items) => self.visit_list(items, visitor),
            Value::Null => self.visit_list(&[], visitor),
            _ => self.wrong("a list"),
        }
    }

    /// As the API server does, an empty value is an empty mapping.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TreeError> {
        match &self.value {
            Value::Map(entries) => self.visit_mapping(entries, visitor),
            Value::Null => self.visit_mapping(&[], visitor),
            _ => self.wrong("a mapping"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        choices: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TreeError> {
        match &self.value {
            Value::Scalar { text, .. } => visitor
                .visit_enum(text.as_str().into_deserializer())
                .map_err(|error: TreeError| error.or_at(&self.place)),
            Value::Map(entries) if entries.len() == 1 => visitor.visit_enum(Choice { entry: &entries[0] }),
            Value::Map(entries) if entries.len() > 1 => {
                let keys: Vec<String> = entries.iter().map(|entry| format!("`{}`", entry.key)).collect();
                let expected = format!("only one of: {}", choices.join(", "));
                Err(TreeError::wrong_value(format!("{} together", keys.join(" and ")), expected)
                    .or_at(&entries[1].place))
            }
            _ => self.wrong(&format!("one of: {}", choices.join(", "))),
        }
    }

    forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any }
}

/// A list being read.
struct Items<'de> {
    items: std::iter::Enumerate<std::slice::Iter<'de, Node>>,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = TreeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, TreeError> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        seed.deserialize(node).map(Some).map_err(|error| error.or_at(&node.place).under(Segment::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// A mapping being read.
struct Entries<'de> {
    entries: std::slice::Iter<'de, Entry>,
    pending: Option<&'de Entry>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = TreeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, TreeError> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.pending = Some(entry);
        let key: StrDeserializer<'de, TreeError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.or_at(&entry.place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, TreeError> {
        let entry = self.pending.take().ok_or_else(|| TreeError::custom("a value was asked for before its key"))?;
        seed.deserialize(&entry.value)
            .map_err(|error| error.or_at(&entry.value.place).under(Segment::Key(entry.key.clone())))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.len() + usize::from(self.pending.is_some()))
    }
}

/// `choice: content` as an enum.
struct Choice<'de> {
    entry: &'de Entry,
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = TreeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), TreeError> {
        let name: StrDeserializer<'de, TreeError> = self.entry.key.as_str().into_deserializer();
        let variant = seed.deserialize(name).map_err(|error| error.or_at(&self.entry.place))?;
        Ok((variant, self))
    }
}

impl Choice<'_> {
    fn outward(&self, error: TreeError) -> TreeError {
        error.or_at(&self.entry.value.place).under(Segment::Key(self.entry.key.clone()))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = TreeError;

    fn unit_variant(self) -> Result<(), TreeError> {
        match &self.entry.value.value {
            Value::Null => Ok(()),
            Value::Map(entries) if entries.is_empty() => Ok(()),
            _ => self.entry.value.wrong("nothing: this choice has no settings").map_err(|error| self.outward(error)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, TreeError> {
        seed.deserialize(&self.entry.value).map_err(|error| self.outward(error))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, TreeError> {
        self.entry.value.deserialize_seq(visitor).map_err(|error| self.outward(error))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, TreeError> {
        self.entry.value.deserialize_map(visitor).map_err(|error| self.outward(error))
    }
}
