//! The part of Go's `text/template` that adapter rules use, with `<<` and `>>` as delimiters.

use std::collections::BTreeMap;

use super::AdapterError;

/// A parsed template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
    /// An element of `.LabelValuesByName`.
    Values(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Series,
    LabelMatchers,
    GroupBy,
    Resource,
    Group,
}

/// What the fields of a template stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields<'a> {
    pub series: &'a str,
    pub label_matchers: &'a str,
    pub group_by: &'a str,
    pub resource: &'a str,
    pub group: &'a str,
    /// Values joined by `|`, by label.
    pub values: BTreeMap<&'a str, String>,
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, AdapterError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("<<") {
            let Some((action, after)) = after.split_once(">>") else {
                return Err(AdapterError::Template { template: text.to_owned(), action: after.to_owned() });
            };
            // A dash next to a delimiter eats the white space beyond it.
            let before = if action.starts_with("- ") { before.trim_end() } else { before };
            rest = if action.ends_with(" -") { after.trim_start() } else { after };
            let action = action.trim_start_matches("- ").trim_end_matches(" -").trim();
            parts.push(Part::Text(before.to_owned()));
            let unknown = || AdapterError::Template { template: text.to_owned(), action: action.to_owned() };
            parts.push(parse_action(action).ok_or_else(unknown)?);
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    pub fn expand(&self, fields: &Fields<'_>) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Field(Field::Series) => fields.series,
            Part::Field(Field::LabelMatchers) => fields.label_matchers,
            Part::Field(Field::GroupBy) => fields.group_by,
            Part::Field(Field::Resource) => fields.resource,
            Part::Field(Field::Group) => fields.group,
            Part::Values(label) => fields.values.get(label.as_str()).map_or("", String::as_str),
        });
        parts.collect()
    }
}

fn parse_action(action: &str) -> Option<Part> {
    let words: Vec<&str> = action.split_whitespace().collect();
    Some(match words.as_slice() {
        [".Series"] => Part::Field(Field::Series),
        [".LabelMatchers"] => Part::Field(Field::LabelMatchers),
        // A rule is asked about one resource at a time, so the slice has one element (none for external metrics).
        [".GroupBy"] | ["index", ".GroupBySlice", "0"] => Part::Field(Field::GroupBy),
        [".Resource"] => Part::Field(Field::Resource),
        [".Group"] => Part::Field(Field::Group),
        ["index", ".LabelValuesByName", label] => {
            Part::Values(label.strip_prefix('"').and_then(|label| label.strip_suffix('"'))?.to_owned())
        }
        [field] => Part::Values(field.strip_prefix(".LabelValuesByName.")?.to_owned()),
        _ => return None,
    })
}
