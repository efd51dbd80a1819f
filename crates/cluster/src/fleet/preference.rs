//! What pods would rather have: preferred node affinity and `PreferNoSchedule`.
//!
//! Karpenter takes preferences for requirements and gives them up one by one while nothing can be launched
//! (`scheduling/preferences.go`); the scheduler ranks nodes by them.

use std::collections::BTreeSet;

use super::class::Fit;
use super::node::Offer;
use crate::spec::{
    FleetSpec, InstanceOffering, NodeLabel, NodeManager, NodePoolSpec, NodeTerm, PodSpec, TaintEffect, named_labels,
    node_label,
};

/// Score of a full node, as in [`super::placement`].
const FULL: u32 = 1 << 16;
/// Weights of the scheduler's plugins for node affinity and taints; that for how full a node is has 1.
const NODE_AFFINITY: u32 = 2;
const TAINT_TOLERATION: u32 = 3;
/// Steps that are told apart.
const STEPS_MAX: usize = 64;

/// One step: the required term that counts, the preferred one that is taken for required, and whether `PreferNoSchedule` keeps pods away.
struct Step<'a> {
    required: Option<&'a NodeTerm>,
    preferred: Option<&'a NodeTerm>,
    is_strict: bool,
}

/// Writes into the fits of a class at which steps offerings are permitted and how the scheduler ranks their nodes; returns the number of steps.
pub(super) fn rank(fits: &mut [Fit], offers: &[Offer], (spec, pod): (&FleetSpec, &PodSpec)) -> u32 {
    if spec.pools.is_empty() {
        return 1;
    }
    dislike(fits, offers, (spec, pod));
    if !matches!(spec.manager, NodeManager::Karpenter) {
        return 1;
    }
    let named = named_labels(&spec.pools);
    let mut kept: Vec<Vec<bool>> = Vec::new();
    for step in steps(pod) {
        let permits = |offer: &Offer| {
            let pool = &spec.pools[offer.pool];
            let meets = |term: &NodeTerm| meets(term, &offer.spec, (pool, &named));
            step.required.is_none_or(|term| is_met_or_unknown(term, &offer.spec, (pool, &named)))
                && step.preferred.is_none_or(meets)
                && !(step.is_strict && disliked_taints(pool, pod) > 0)
        };
        let permitted: Vec<bool> =
            offers.iter().zip(&*fits).map(|(offer, fit)| fit.slots == 0 || permits(offer)).collect();
        // A step that permits what the one before did changes nothing.
        if kept.last() != Some(&permitted) && kept.len() < STEPS_MAX {
            kept.push(permitted);
        }
    }
    for (index, fit) in fits.iter_mut().enumerate() {
        fit.steps = kept.iter().enumerate().map(|(step, permitted)| u64::from(permitted[index]) << step).sum();
    }
    kept.len() as u32
}

/// First the required terms one after the other, with the heaviest preference; then the preferences, the heaviest going first; then taints.
fn steps(pod: &PodSpec) -> Vec<Step<'_>> {
    let terms = &pod.scheduling.node_terms;
    let preferred: Vec<&NodeTerm> = pod.scheduling.preferred.iter().map(|preference| &preference.term).collect();
    let step = |required, preferred| Step { required, preferred, is_strict: true };
    let mut steps: Vec<Step<'_>> = match terms.split_last() {
        None => Vec::new(),
        Some((_, before)) => before.iter().map(|term| step(Some(term), preferred.first().copied())).collect(),
    };
    let last = terms.last();
    steps.extend(preferred.iter().map(|term| step(last, Some(*term))));
    steps.push(step(last, None));
    steps.push(Step { is_strict: false, ..step(last, None) });
    steps
}

/// The rank that nodes lose by what the pod would rather have, relative to the best and the worst of them.
fn dislike(fits: &mut [Fit], offers: &[Offer], (spec, pod): (&FleetSpec, &PodSpec)) {
    let named = named_labels(&spec.pools);
    let usable = || offers.iter().zip(&*fits).filter(|(_, fit)| fit.slots > 0).map(|(offer, _)| offer);
    let score = |offer: &Offer| -> u32 {
        let at = (&spec.pools[offer.pool], &named);
        let met = pod.scheduling.preferred.iter().filter(|preference| meets(&preference.term, &offer.spec, at));
        met.map(|preference| preference.weight).sum()
    };
    let taints = |offer: &Offer| disliked_taints(&spec.pools[offer.pool], pod);
    let best = usable().map(score).max().unwrap_or(0);
    let worst = usable().map(taints).max().unwrap_or(0);
    let share =
        |part: u32, all: u32| if all == 0 { 0 } else { (u64::from(FULL) * u64::from(part) / u64::from(all)) as u32 };
    let ranks: Vec<u32> = offers
        .iter()
        .map(|offer| {
            let (unmet, tainted) = (best.saturating_sub(score(offer)), taints(offer).min(worst));
            NODE_AFFINITY * share(unmet, best) + TAINT_TOLERATION * share(tainted, worst)
        })
        .collect();
    for (fit, rank) in fits.iter_mut().zip(ranks) {
        fit.dislike = rank;
    }
}

fn disliked_taints(pool: &NodePoolSpec, pod: &PodSpec) -> u32 {
    let soft = pool.rules.taints.iter().filter(|taint| taint.effect == TaintEffect::PreferNoSchedule);
    let tolerations = &pod.scheduling.tolerations;
    soft.filter(|taint| !tolerations.iter().any(|toleration| toleration.tolerates(taint))).count() as u32
}

/// Whether nodes are as preferred. A label nobody says anything of is not there.
fn meets(term: &NodeTerm, offering: &InstanceOffering, at: (&NodePoolSpec, &BTreeSet<&str>)) -> bool {
    let admits = |rule: &crate::spec::LabelRule| match node_label(offering, at, &rule.key) {
        NodeLabel::Is(value) => rule.admits(Some(&value)),
        NodeLabel::Absent | NodeLabel::Unknown => rule.admits(None),
    };
    !term.labels.is_empty() && term.labels.iter().all(admits)
}

/// Whether nodes are as required. What is unknown is taken as met, as in [`crate::spec::affinity_misfit`].
fn is_met_or_unknown(term: &NodeTerm, offering: &InstanceOffering, at: (&NodePoolSpec, &BTreeSet<&str>)) -> bool {
    let admits = |rule: &crate::spec::LabelRule| match node_label(offering, at, &rule.key) {
        NodeLabel::Is(value) => rule.admits(Some(&value)),
        NodeLabel::Absent => rule.admits(None),
        NodeLabel::Unknown => true,
    };
    !term.labels.is_empty() && term.labels.iter().all(admits)
}
