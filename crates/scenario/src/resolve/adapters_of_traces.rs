//! Adapters that traces name: one number for a name, whichever trace it stands in.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster::spec::ServiceSpec;

use crate::error::ScenarioError;
use crate::file::ServiceView;

use super::Context;
use super::adapters::TRAFFIC;

/// Adapters by name, numbered from 1 in the order in which traces name them.
#[derive(Debug, Default)]
pub struct TraceAdapters {
    numbers: BTreeMap<String, u32>,
    /// Those of the service whose traffic is resolved.
    here: BTreeSet<u32>,
    /// Its traces that name none.
    nameless: Vec<String>,
}

impl TraceAdapters {
    /// The traffic of another service begins.
    pub fn begin(&mut self) {
        self.here.clear();
        self.nameless.clear();
    }

    /// The numbers of the adapters that a trace names; `None` where they are those that it gives them itself.
    pub fn number(&mut self, file: &str, names: Option<&[String]>) -> Option<Arc<[u32]>> {
        let Some(names) = names else {
            self.nameless.push(file.to_owned());
            return None;
        };
        let numbers: Vec<u32> = names
            .iter()
            .map(|name| {
                let next = self.numbers.len() as u32 + 1;
                *self.numbers.entry(name.clone()).or_insert(next)
            })
            .collect();
        self.here.extend(&numbers);
        let is_own = numbers.iter().zip(1..).all(|(number, own)| *number == own);
        (!is_own).then(|| numbers.into())
    }
}

impl Context<'_> {
    /// With `traffic.adapters.fromTrace` some trace names some, and who else there is asks for the base model.
    pub(super) fn adapters_of_traces(
        &mut self,
        spec: &ServiceView,
        service: &mut ServiceSpec,
    ) -> Result<(), ScenarioError> {
        let is_asked = spec.traffic.adapters.as_ref().is_some_and(|adapters| adapters.from_trace);
        let Some(rules) = service.engine.adapters.as_ref().filter(|_| is_asked) else { return Ok(()) };
        let count = self.adapters.here.len();
        if count == 0 {
            let reason = "no request of a trace of this traffic is for an adapter: their names stand in a column `adapter`, or in the one that \
                          `trace.columns.adapter` names; an empty one is the base model";
            return Err(self.inconsistent(&format!("{TRAFFIC}.fromTrace"), reason));
        }
        let mut others: Vec<String> = self.adapters.nameless.iter().map(|file| format!("of {file}")).collect();
        let parts = spec.traffic.sum.as_deref().unwrap_or_default();
        others.extend(parts.iter().any(|part| part.generator.is_some()).then(|| "that are generated".to_owned()));
        others.extend(spec.traffic.from.as_ref().map(|from| format!("that follow from `{}`", from.service)));
        let mut who = format!("the trace says which request is for which of {count}");
        if !others.is_empty() {
            who += &format!(" (those {} are for the base model)", others.join(", "));
        }
        let rules = *rules;
        self.note_adapters(&rules, &who);
        Ok(())
    }
}
