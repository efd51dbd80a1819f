//! The names somebody most likely meant.

use std::collections::BTreeSet;

use crate::catalogue;
use crate::registry::Registry;
use crate::target::Exporter;

/// At most so many names are offered.
const NAMES_MAX: usize = 3;

/// A name that there could be, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub name: String,
    pub exporter: Exporter,
    pub is_offered: bool,
}

/// The nearest names, those of this scenario first. Retired names take part and stand for their successors.
pub(super) fn nearest(found: &str, registry: &Registry) -> Vec<Known> {
    let mut ranked: Vec<(usize, Known)> = Vec::new();
    let mut add = |written: &str, name: &str, exporter: Exporter| {
        let Some(rank) = rank(found, written) else { return };
        let is_offered = exporter == Exporter::Recorded || registry.named(name).next().is_some();
        ranked.push((rank, Known { name: name.to_owned(), exporter, is_offered }));
    };
    for shown in registry.all() {
        add(&shown.name, &shown.name, shown.exporter);
    }
    for record in &registry.facts().idle_records {
        add(record, record, Exporter::Recorded);
    }
    for (exporter, metric) in catalogue::all() {
        let version = registry.facts().versions.get(&exporter).copied();
        let standing = if metric.is_in(version) { None } else { metric.successor };
        for name in metric.series_names() {
            let suffix = &name[metric.name.len()..];
            let stands_for = standing.map_or_else(|| name.clone(), |successor| format!("{successor}{suffix}"));
            add(&name, &stands_for, exporter);
        }
    }
    ranked.sort_by(|(rank, known), (other_rank, other)| {
        (!known.is_offered, rank, &known.name).cmp(&(!other.is_offered, other_rank, &other.name))
    });
    // A slip of the pen needs no words in common to be offered beside it.
    let best = ranked.iter().map(|(rank, _)| *rank).min().unwrap_or(0);
    if best <= SLIP {
        ranked.retain(|(rank, known)| *rank < WORDS || known.is_offered && *rank < WORDS + 30);
    }
    let mut names = BTreeSet::new();
    ranked.retain(|(_, known)| names.insert(known.name.clone()));
    ranked.truncate(NAMES_MAX);
    ranked.into_iter().map(|(_, known)| known).collect()
}

/// Ranks from here on are by words in common.
const WORDS: usize = 100;
/// Ranks up to here are slips of the pen.
const SLIP: usize = 2;

/// How near a name is: edits, or 100 and more where only words are in common. None if it is another name.
fn rank(found: &str, name: &str) -> Option<usize> {
    let (found, name) = (folded(found), folded(name));
    let limit = (found.len().max(name.len()) / 5).max(2);
    let mut least: Option<usize> = None;
    for (one, other) in [(&*found, &*name), (without_prefix(&found), &*name), (&*found, without_prefix(&name))] {
        if one.len().abs_diff(other.len()) > limit || one.len() < 3 || other.len() < 3 {
            continue;
        }
        // A name without its prefix is further away than the whole of it.
        let apart = names::distance(one, other) + usize::from(one.len() != found.len() || other.len() != name.len());
        if apart <= limit && least.is_none_or(|least| apart < least) {
            least = Some(apart);
        }
    }
    least.or_else(|| by_words(&found, &name))
}

fn by_words(found: &str, name: &str) -> Option<usize> {
    let words =
        |text: &str| text.split('_').filter(|word| !word.is_empty()).map(str::to_owned).collect::<BTreeSet<_>>();
    let (one, other) = (words(found), words(name));
    let common = one.intersection(&other).count();
    let all = one.union(&other).count();
    // Shares in percent; sixty are enough.
    let share = (common * 100).checked_div(all)?;
    (share >= 60).then_some(WORDS + 100 - share)
}

fn folded(name: &str) -> String {
    name.to_lowercase().replace(':', "_")
}

fn without_prefix(name: &str) -> &str {
    name.split_once('_').map_or(name, |(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_prefix_and_one_letter_do_not_matter_and_other_names_are_far() {
        assert_eq!(rank("vllm:num_requests_waitng", "vllm:num_requests_waiting"), Some(1));
        assert_eq!(rank("vllm_num_requests_waiting", "vllm:num_requests_waiting"), Some(0));
        assert_eq!(rank("dcgm_fi_dev_gpu_util", "DCGM_FI_DEV_GPU_UTIL"), Some(0));
        assert_eq!(rank("num_requests_waiting", "vllm:num_requests_waiting"), Some(1));
        assert_eq!(rank("queue_depth", "vllm:num_requests_waiting"), None);
        assert!(rank("vllm:waiting_requests_num", "vllm:num_requests_waiting").is_some_and(|rank| rank >= WORDS));
    }
}
