//! Recording rules: when each group is evaluated, and what of it is stored.

use promql::rules::RuleGroup;
use units::SimTime;
use workload::{Purpose, Stream};

use super::{MetricsEvent, NANOS_PER_MILLI, Pipeline, now_ms};

/// The groups of a run: a server spreads them over their intervals by a hash of their names.
pub(super) fn groups(groups: &[RuleGroup], seed: u64) -> Vec<RuleGroup> {
    let numbered = groups.iter().cloned().enumerate();
    let spread = numbered.map(|(index, group)| {
        let entity = 1 << 42 | index as u64;
        let phase_ms = Stream::new(seed, Purpose::Phase, entity).below(group.interval_ms() as u64);
        group.with_phase(phase_ms as i64)
    });
    spread.collect()
}

/// The first evaluation of each group.
pub(super) fn first_evaluations(groups: &[RuleGroup]) -> Vec<(SimTime, MetricsEvent)> {
    let numbered = groups.iter().enumerate();
    numbered.map(|(index, group)| (time(group.next_after_ms(-1)), MetricsEvent::Rules(index as u32))).collect()
}

impl Pipeline {
    /// Evaluates a group, unless Prometheus is away, and schedules its next evaluation. A rule that fails stores nothing; what it stored
    /// before lives on until the lookback ends it.
    pub(super) fn evaluate_rules(&mut self, group: u32, now: SimTime) {
        let is_away = self.outages.prometheus(now);
        let rules = &mut self.readers.rules[group as usize];
        if !is_away {
            rules.evaluate(&mut self.storage, now_ms(now), self.options);
        }
        let next = time(rules.next_after_ms(now_ms(now)));
        self.pending.push((next, MetricsEvent::Rules(group)));
    }
}

fn time(t_ms: i64) -> SimTime {
    SimTime::from_nanos(t_ms.max(0) as u64 * NANOS_PER_MILLI)
}
