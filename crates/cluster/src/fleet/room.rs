//! Room on nodes: amounts of the resources pods ask for.
//!
//! A node's room is what it has, less what the pods on it hold. How many more pods of a class fit follows from the resource that is
//! scarcest for it; pods of one class alone make that a number of slots, `spec::slots`, less those taken.

use smallvec::SmallVec;

use crate::spec::{InstanceOffering, PODS_PER_NODE, PodClass};

/// An amount of each resource: pods, millicores, bytes of memory, GPUs, and what else any class asks for.
pub(super) type Amounts = SmallVec<[u64; 4]>;

/// Resources every node has; the others come after.
const BASIC: usize = 4;
/// Position of GPUs.
pub(super) const GPUS: usize = 3;
/// Position of millicores.
pub(super) const CPU: usize = 1;
/// Position of memory.
pub(super) const MEMORY: usize = 2;

/// Names of the extended resources that any of the classes asks for besides GPUs.
pub(super) fn names(classes: &[PodClass]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in classes.iter().flat_map(|class| &class.pod.scheduling.extended) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// Nothing of so many extended resources.
pub(super) fn nothing(names: usize) -> Amounts {
    SmallVec::from_elem(0, BASIC + names)
}

/// What one pod of `class` asks for.
pub(super) fn wanted(class: &PodClass, names: &[String]) -> Amounts {
    let mut amounts = nothing(names.len());
    let basic = [1, class.pod.millicores(), class.pod.bytes(), u64::from(class.pod.gpus)];
    amounts[..BASIC].copy_from_slice(&basic);
    for (name, wanted) in &class.pod.scheduling.extended {
        let place = names.iter().position(|known| known == name).expect("all are named");
        amounts[BASIC + place] = u64::from(*wanted);
    }
    amounts
}

/// What a node of `offering` has for pods. Of what it does not state there is no end.
pub(super) fn allocatable(offering: &InstanceOffering, names: &[String]) -> Amounts {
    let stated = |amount: u64| if amount == 0 { u64::MAX } else { amount };
    let mut amounts = nothing(names.len());
    let basic = [u64::from(PODS_PER_NODE), stated(offering.cpu.0), stated(offering.memory.0), u64::from(offering.gpus)];
    amounts[..BASIC].copy_from_slice(&basic);
    for (place, name) in names.iter().enumerate() {
        let declared = offering.extended.iter().find(|(declared, _)| declared == name);
        amounts[BASIC + place] = declared.map_or(u64::MAX, |(_, amount)| u64::from(*amount));
    }
    amounts
}

/// How many times `wanted` fits into what is left of `has` beside `held`.
pub(super) fn fits(has: &[u64], held: &[u64], wanted: &[u64]) -> u32 {
    let each = has.iter().zip(held).zip(wanted).filter_map(|((&has, &held), &wanted)| {
        let is_bound = has < u64::MAX && wanted > 0;
        is_bound.then(|| has.saturating_sub(held) / wanted)
    });
    each.min().map_or(u32::MAX, |times| u32::try_from(times).unwrap_or(u32::MAX))
}

/// Adds `count` times `each`.
pub(super) fn add(held: &mut [u64], each: &[u64], count: u32) {
    for (held, each) in held.iter_mut().zip(each) {
        *held += each * u64::from(count);
    }
}

/// Takes `count` times `each` away.
pub(super) fn subtract(held: &mut [u64], each: &[u64], count: u32) {
    for (held, each) in held.iter_mut().zip(each) {
        *held -= each * u64::from(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scarcest_resource_says_how_many_fit() {
        let has = [110, 8_000, u64::MAX, 8];
        assert_eq!(fits(&has, &[0, 0, 0, 0], &[1, 1_000, 5, 1]), 8);
        assert_eq!(fits(&has, &[3, 5_500, 15, 2], &[1, 1_000, 5, 1]), 2, "CPU is what is left least of");
        assert_eq!(fits(&has, &[8, 0, 0, 8], &[1, 0, 0, 0]), 102, "a pod that asks for nothing takes its place");
        assert_eq!(fits(&has, &[9, 9_000, 0, 8], &[1, 1_000, 0, 0]), 0);
    }
}
