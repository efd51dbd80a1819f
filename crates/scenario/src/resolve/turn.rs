//! Of which service is spoken: the paths of the short form lead to its place in the long form, and its notes get its name.

use std::collections::BTreeSet;

use crate::file::ScenarioSpec;
use crate::manifest::workload::Workload;
use crate::tree::{Segment, path_text};

use super::Context;

/// Keys that stand at the top of the short form and with each service in the long one.
pub(super) const OWN_KEYS: [&str; 5] = ["traffic", "service", "coldStart", "slo", "rollouts"];

/// A service of the long form.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its number.
    number: usize,
    /// Its name.
    pub name: String,
    /// For each policy, whether that names it.
    named: Vec<bool>,
}

/// What a context knows of a service whose turn it is not.
#[derive(Clone, Debug, Default)]
pub struct Parked {
    entry: Option<Entry>,
    workload: Option<Workload>,
    hook_waits: bool,
}

/// A note, and who it is about.
#[derive(Clone, Debug)]
pub struct Said {
    text: String,
    /// Numbers of the services it came up with; none: it is about all.
    by: BTreeSet<usize>,
    /// It says what does not concern a service, and is worth saying if it concerns none.
    is_miss: bool,
}

/// Several services that take turns in a context; empty for the only one of the short form.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    parked: Vec<Parked>,
    /// Whose turn it is; `None`: what is done is done for all.
    current: Option<usize>,
    /// Whose state is in the context.
    loaded: usize,
    said: Vec<Said>,
    misses: BTreeSet<String>,
}

impl Entry {
    /// The place in the long form of what this path leads to in the short form.
    fn place(&self, path: &str) -> String {
        let below =
            |prefix: &str| path.strip_prefix(prefix).filter(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        if let Some(key) = OWN_KEYS.iter().find(|key| below(&format!("spec.{key}")).is_some()) {
            let rest = below(&format!("spec.{key}")).unwrap_or_default();
            return format!("spec.services[{}].{key}{rest}", self.number);
        }
        for index in (0..self.named.len()).filter(|index| self.named[*index]) {
            let policy = format!("spec.policies[{index}]");
            match below(&policy) {
                Some(".name" | ".syncPeriod") | None => {}
                Some(rest) => {
                    let service = path_text(&format!("{policy}.services"), &[Segment::Key(self.name.clone())]);
                    return format!("{service}{rest}");
                }
            }
        }
        path.to_owned()
    }
}

impl Context<'_> {
    /// Prepares for the services of the long form.
    pub(super) fn take_turns(&mut self, spec: &ScenarioSpec) {
        let entries = spec.services.iter().flatten().enumerate();
        let entry = |(number, entry): (usize, &crate::file::ServiceEntryFile)| {
            let names = |policy: &crate::file::PolicyFile| {
                policy.services.as_ref().is_some_and(|services| services.contains_key(&entry.name))
            };
            let named = spec.policies.iter().map(names).collect();
            Parked { entry: Some(Entry { number, name: entry.name.clone(), named }), ..Parked::default() }
        };
        self.turns.parked = entries.map(entry).collect();
    }

    /// From here on it is about this service. With one service nothing changes hands.
    pub(super) fn turn_to(&mut self, number: usize) {
        self.settle_notes();
        if self.turns.parked.is_empty() {
            return;
        }
        self.park();
        let Parked { entry, workload, hook_waits } = std::mem::take(&mut self.turns.parked[number]);
        (self.entry, self.workload, self.hook_waits) = (entry, workload, hook_waits);
        (self.turns.current, self.turns.loaded) = (Some(number), number);
    }

    /// From here on it is about what all services share.
    pub(super) fn turn_to_all(&mut self) {
        self.settle_notes();
        if !self.turns.parked.is_empty() {
            self.park();
            self.turns.current = None;
        }
    }

    fn park(&mut self) {
        if self.entry.is_some() {
            let (entry, workload) = (self.entry.take(), self.workload.take());
            self.turns.parked[self.turns.loaded] = Parked { entry, workload, hook_waits: self.hook_waits };
        }
    }

    /// Where something stands that the short form has at `path`.
    pub(super) fn place_of(&self, path: &str) -> String {
        self.entry.as_ref().map_or_else(|| path.to_owned(), |entry| entry.place(path))
    }

    /// Whether there are several services.
    pub(super) fn has_several(&self) -> bool {
        self.turns.parked.len() > 1
    }

    /// Workloads of all services.
    pub(super) fn workloads(&self) -> impl Iterator<Item = &Workload> {
        let parked = self.turns.parked.iter().filter_map(|parked| parked.workload.as_ref());
        self.workload.iter().chain(parked)
    }

    /// A note that a document is not about this service: worth saying if it is about none.
    pub(super) fn note_miss(&mut self, note: String) {
        if !self.turns.parked.is_empty() {
            self.turns.misses.insert(note.clone());
        }
        self.note(note);
    }

    fn settle_notes(&mut self) {
        if self.turns.parked.is_empty() {
            return;
        }
        let turns = &mut self.turns;
        for text in self.notes.drain(..) {
            let Some(said) = turns.said.iter_mut().find(|said| said.text == text) else {
                let is_miss = turns.misses.contains(&text);
                turns.said.push(Said { text, by: turns.current.into_iter().collect(), is_miss });
                continue;
            };
            match turns.current {
                Some(number) if !said.by.is_empty() => _ = said.by.insert(number),
                _ => said.by.clear(),
            }
        }
    }

    /// All notes, each once; what is about some services begins with their names.
    pub fn finish_notes(&mut self) {
        self.turn_to_all();
        let turns = std::mem::take(&mut self.turns);
        let names: Vec<&str> =
            turns.parked.iter().filter_map(|parked| parked.entry.as_ref()).map(|entry| entry.name.as_str()).collect();
        for said in turns.said {
            let is_of_all = said.by.is_empty() || said.by.len() == names.len();
            if is_of_all {
                self.notes.push(said.text);
            } else if !said.is_miss {
                let of: Vec<&str> = said.by.iter().map(|number| names[*number]).collect();
                self.notes.push(format!("{}: {}", of.join(", "), said.text));
            }
        }
        self.turns.parked = turns.parked;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_of_the_short_form_lead_to_the_service() {
        let entry = Entry { number: 1, name: "embed".to_owned(), named: vec![false, true] };
        let places = [
            ("spec.traffic.sum[0]", "spec.services[1].traffic.sum[0]"),
            ("spec.service", "spec.services[1].service"),
            ("spec.service.model.slots", "spec.services[1].service.model.slots"),
            ("spec.rollouts[2].at", "spec.services[1].rollouts[2].at"),
            ("spec.policies[1].hpa.metrics[0]", "spec.policies[1].services.embed.hpa.metrics[0]"),
            ("spec.policies[1]", "spec.policies[1].services.embed"),
            ("spec.policies[1].name", "spec.policies[1].name"),
            ("spec.policies[0].hpa", "spec.policies[0].hpa"),
            ("spec.services", "spec.services"),
            ("spec.metrics.series[0]", "spec.metrics.series[0]"),
        ];
        for (path, place) in places {
            assert_eq!(entry.place(path), place);
        }
    }
}
