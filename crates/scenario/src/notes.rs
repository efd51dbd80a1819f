//! What a user should know, and what he may ask for: remarks that fold into one line a kind.
//!
//! A remark that names what the answer lacks is shown as it is. Harmless ones (fields and documents without effect) are counted; the list
//! behind the count is for `-v`.

use std::collections::BTreeMap;

/// Names that a line lists before it counts the rest.
const LISTED: usize = 4;

/// Remarks that are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// File and title of a manifest, and its fields without effect.
    fields: Vec<(String, Vec<String>)>,
    /// Kind, and file and title, of documents without effect.
    documents: Vec<(String, String)>,
    /// Documents that belong to others.
    children: Vec<String>,
    /// Names of recording rules that nothing reads, and where they stand.
    rules: Vec<(String, String)>,
    /// Places where a number or a boolean stands for text.
    texts: Vec<String>,
    /// Files and documents that are no manifests.
    strangers: Vec<String>,
}

impl Folded {
    /// Fields of a manifest that have no effect.
    pub fn fields(&mut self, manifest: String, paths: &[String]) {
        if !paths.is_empty() && self.fields.iter().all(|(known, listed)| *known != manifest || listed != paths) {
            self.fields.push((manifest, paths.to_vec()));
        }
    }

    /// A document without effect.
    pub fn document(&mut self, kind: &str, manifest: String) {
        self.documents.push((kind.to_owned(), manifest));
    }

    /// A document that belongs to another one.
    pub fn child(&mut self, manifest: String) {
        self.children.push(manifest);
    }

    /// A recording rule that nothing reads.
    pub fn rule(&mut self, record: &str, place: String) {
        if self.rules.iter().all(|(_, known)| *known != place) {
            self.rules.push((record.to_owned(), place));
        }
    }

    /// A value read as text.
    pub fn text(&mut self, place: String) {
        self.texts.push(place);
    }

    /// A file or document that is no manifest.
    pub fn stranger(&mut self, name: String) {
        if !self.strangers.contains(&name) {
            self.strangers.push(name);
        }
    }

    /// Everything of another one after what is here.
    pub fn extend(&mut self, other: Self) {
        self.documents.extend(other.documents);
        self.children.extend(other.children);
        other.rules.into_iter().for_each(|(record, place)| self.rule(&record, place));
        self.texts.extend(other.texts);
        other.strangers.into_iter().for_each(|name| self.stranger(name));
        other.fields.into_iter().for_each(|(manifest, paths)| self.fields(manifest, &paths));
    }

    /// One line for each kind of remark there is.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.documents.is_empty() {
            let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
            self.documents.iter().for_each(|(kind, _)| *counts.entry(kind).or_default() += 1);
            let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
            counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            let listed = counts.iter().map(|(kind, count)| match count {
                1 => (*kind).to_owned(),
                _ => format!("{kind} x{count}"),
            });
            let listed: Vec<String> = listed.collect();
            let (documents, have) = plural(self.documents.len(), "document has", "documents have");
            lines.push(format!("{documents} {have} no effect on the simulation: {}", listed.join(", ")));
        }
        let fields: usize = self.fields.iter().map(|(_, paths)| paths.len()).sum();
        if fields > 0 {
            let (fields, have) = plural(fields, "manifest field has", "manifest fields have");
            lines.push(format!("{fields} {have} no effect on the simulation"));
        }
        if let [first, ..] = self.texts.as_slice() {
            let (values, are) = plural(self.texts.len(), "value is", "values are");
            lines.push(format!("{values} {are} read as text, which the API server refuses without quotes: {first}"));
        }
        if !self.children.is_empty() {
            let (documents, belong) = plural(self.children.len(), "document belongs", "documents belong");
            lines.push(format!("{documents} {belong} to others in the folder, which are read instead"));
        }
        if !self.rules.is_empty() {
            let (rules, are) = plural(self.rules.len(), "recording rule is", "recording rules are");
            let listed = first_few(self.rules.iter().map(|(record, _)| record.as_str()));
            lines.push(format!("{rules} {are} read by nothing: {listed}"));
        }
        if !self.strangers.is_empty() {
            let listed = first_few(self.strangers.iter().map(String::as_str));
            lines.push(format!("no manifests, left out: {listed}"));
        }
        lines
    }

    /// Everything, one line each.
    pub fn details(&self) -> Vec<String> {
        let fields = self.fields.iter().map(|(manifest, paths)| format!("ignored: {manifest}: {}", paths.join(", ")));
        let documents = self.documents.iter().map(|(_, manifest)| format!("no effect: {manifest}"));
        let children = self.children.iter().map(|manifest| format!("belongs to another document: {manifest}"));
        let texts = self.texts.iter().map(|place| format!("read as text: {place}"));
        let rules = self.rules.iter().map(|(_, place)| format!("read by nothing: {place}"));
        let strangers = self.strangers.iter().map(|name| format!("no manifest: {name}"));
        fields.chain(documents).chain(children).chain(rules).chain(texts).chain(strangers).collect()
    }
}

/// The first four of several, and how many more there are.
fn first_few<'t>(all: impl ExactSizeIterator<Item = &'t str>) -> String {
    let more = all.len().saturating_sub(LISTED);
    let listed: Vec<&str> = all.take(LISTED).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", listed.join(", "))
}

/// `3 documents` and the verb that goes with it.
fn plural(count: usize, one: &str, many: &str) -> (String, String) {
    let (noun, verb) = if count == 1 { one } else { many }.rsplit_once(' ').unwrap_or((one, ""));
    (format!("{count} {noun}"), verb.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_takes_one_line_whatever_there_is_of_it() {
        let mut folded = Folded::default();
        for name in ["a", "b"] {
            folded.document("Service", format!("f.yaml: Service/{name}"));
            folded.fields(format!("f.yaml: Deployment/{name}"), &["spec.x".to_owned(), "spec.y".to_owned()]);
        }
        folded.document("Ingress", "f.yaml: Ingress/c".to_owned());
        let expected = [
            "3 documents have no effect on the simulation: Service x2, Ingress",
            "4 manifest fields have no effect on the simulation",
        ];
        assert_eq!(folded.summary(), expected);
        assert_eq!(folded.details().len(), 5);
    }
}
