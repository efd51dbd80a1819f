//! Series that are made of earlier samples: what recording rules store, and what the scenario computes at each scrape.

use std::collections::BTreeMap;

use exporters::{Series, Target, Value};
use promql::{Options, Query};

use crate::spec::MetricsSpec;

/// A name with what is asked for it.
struct Source {
    name: String,
    query: Query,
    /// From what the query is asked about to when its answer is replaced, in milliseconds.
    lag_ms: i64,
}

/// Everything that is made so.
pub(super) struct Made {
    sources: Vec<Source>,
    options: Options,
}

impl Made {
    /// What the rules of `metrics` and expressions of `targets` make.
    pub(super) fn of(metrics: &MetricsSpec, targets: &[Target], options: Options) -> Self {
        let of_rules = metrics.rules.iter().flat_map(|group| {
            let lag_ms = group.interval_ms().saturating_add(group.query_offset_ms());
            group.rules().iter().map(move |rule| Source {
                name: rule.record().to_owned(),
                query: rule.query().clone(),
                lag_ms,
            })
        });
        let shown =
            targets.iter().flat_map(|target| target.series.iter().filter_map(|series| computed(target, series)));
        Self { sources: of_rules.chain(shown).collect(), options }
    }

    /// How far before the present samples that a program shows can matter to a query, in milliseconds; `None` if it looks at a fixed
    /// time.
    pub(super) fn behind_query_ms(&self, query: &Query) -> Option<i64> {
        let mut known = BTreeMap::new();
        query.lookbehind_through_ms(self.options, &mut |wants| self.behind(wants, &mut known))
    }

    /// How much earlier than what is stored under these names that can be which it is made of.
    pub(super) fn behind_names_ms(&self, wants: &dyn Fn(&str) -> bool) -> i64 {
        self.behind(wants, &mut BTreeMap::new())
    }

    /// `known` has the sources that were looked at. One that reads itself, through whatever others, counts one turn: no length would
    /// hold all that is left in it.
    fn behind(&self, wants: &dyn Fn(&str) -> bool, known: &mut BTreeMap<usize, i64>) -> i64 {
        let wanted: Vec<usize> = (0..self.sources.len()).filter(|&index| wants(&self.sources[index].name)).collect();
        let mut far = 0;
        for index in wanted {
            let behind = if let Some(behind) = known.get(&index) {
                *behind
            } else {
                known.insert(index, 0);
                let Source { query, lag_ms, .. } = &self.sources[index];
                let own = query.lookbehind_through_ms(self.options, &mut |wants| self.behind(wants, known));
                let behind = own.unwrap_or(0).saturating_add(*lag_ms);
                known.insert(index, behind);
                behind
            };
            far = far.max(behind);
        }
        far
    }
}

/// A series of a target that a query gives.
fn computed(target: &Target, series: &Series) -> Option<Source> {
    let Value::Expression(text) = &series.value else { return None };
    let lag_ms = super::millis(target.interval);
    Some(Source { name: series.name.clone(), query: Query::compile(text).ok()?, lag_ms })
}
