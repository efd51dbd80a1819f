//! Adapters of a model (LoRA) in one engine: which are where, and what a pass with them takes.
//!
//! As vLLM has it (`vllm/v1/core/sched/scheduler.py`, `vllm/lora/model_manager.py`): a pass holds requests for `max_loras` adapters at most, and for the
//! base model. Those of the pass are made active before it, in slots of the GPU's memory; an adapter that is not in the machine's memory either is
//! fetched first. The slots and the places in memory go to whoever was used last. All of the pass wait for that.
//!
//! vLLM goes through the adapters of a pass in no order of its own. Here those that are there count as used before others are brought, so that none is
//! displaced that the pass needs, and after the pass all of it were used in the order of their numbers.

use std::sync::{Arc, OnceLock};

use super::engine::{Job, Limits};
use super::iteration::{Curve, in_fractions};
use crate::spec::AdapterSpec;

/// What an engine is told of adapters.
#[derive(Debug)]
pub struct AdapterRules {
    /// Most adapters of a pass, and slots for them.
    pub max_active: usize,
    /// Places in the machine's memory.
    max_kept: usize,
    /// From there into a slot, in 2^-20 ns.
    load: u64,
    /// Into the machine's memory.
    fetch: u64,
    /// Laws of passes with one adapter, two, and so on, where they differ; most of them are never asked for.
    curves: Vec<(OnceLock<Curve>, f64)>,
    make: Maker,
}

/// Makes the law whose times are a factor longer.
struct Maker(Box<dyn Fn(f64) -> Curve + Send + Sync>);

impl std::fmt::Debug for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Maker")
    }
}

impl AdapterRules {
    /// Those of a specification, where `curve` gives the law with times a factor longer.
    pub fn new(spec: &AdapterSpec, curve: impl Fn(f64) -> Curve + Send + Sync + 'static) -> Self {
        let factors = (1..=spec.max_active).map(|count| 1.0 + spec.step_overhead * f64::from(count));
        let curves = if spec.step_overhead > 0.0 {
            factors.map(|factor| (OnceLock::new(), factor)).collect()
        } else {
            Vec::new()
        };
        Self {
            max_active: spec.max_active as usize,
            max_kept: spec.max_kept.max(spec.max_active) as usize,
            load: in_fractions(spec.load.as_nanos()),
            fetch: in_fractions(spec.fetch.as_nanos()),
            curves,
            make: Maker(Box::new(curve)),
        }
    }

    /// The law of a pass with so many adapters, if it is another than without.
    pub fn curve(&self, count: usize) -> Option<&Curve> {
        let (curve, factor) = self.curves.get(count.checked_sub(1)?)?;
        Some(curve.get_or_init(|| (self.make.0)(*factor)))
    }
}

/// What bringing the adapters of a pass took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// How many were made active.
    pub loads: u64,
    /// In 2^-20 ns.
    pub time: u64,
}

/// Which adapters are where, the one whose use is longest ago first.
#[derive(Clone, Debug, Default)]
pub struct Residence {
    active: Vec<u32>,
    /// In the machine's memory: all that are active among them.
    kept: Vec<u32>,
}

impl Residence {
    /// Has `wanted`, ascending and at most as many as may be active, ready for a pass.
    pub fn bring(&mut self, rules: &AdapterRules, wanted: &[u32]) -> Brought {
        let mut brought = Brought::default();
        self.touch(wanted);
        for &adapter in wanted {
            if self.active.contains(&adapter) {
                continue;
            }
            if !self.kept.contains(&adapter) {
                if self.kept.len() == rules.max_kept {
                    let displaced = self.kept.remove(0);
                    self.active.retain(|other| *other != displaced);
                }
                self.kept.push(adapter);
                brought.time += rules.fetch;
            }
            if self.active.len() == rules.max_active {
                self.active.remove(0);
            }
            self.active.push(adapter);
            brought.time += rules.load;
            brought.loads += 1;
        }
        // As every further pass with the same ones leaves them.
        if brought.loads > 0 {
            self.touch(wanted);
        }
        brought
    }

    /// Those of `wanted` that are there were used last, in this order.
    fn touch(&mut self, wanted: &[u32]) {
        for list in [&mut self.active, &mut self.kept] {
            for adapter in wanted {
                if let Some(place) = list.iter().position(|other| other == adapter) {
                    list[place..].rotate_left(1);
                }
            }
        }
    }
}

/// Adapters of a batch that is told who joins and who leaves.
pub struct Adapters {
    rules: Arc<AdapterRules>,
    residence: Residence,
    /// Requests of the batch for each adapter, ascending; none without any.
    batch: Vec<(u32, u32)>,
    has_changed: bool,
    /// What bringing them takes the next pass longer, in 2^-20 ns.
    pub delay: u64,
}

impl Adapters {
    /// Those of an idle engine, where requests are for any.
    pub fn of(limits: &Limits) -> Option<Box<Self>> {
        let rules = limits.adapters.clone()?;
        Some(Box::new(Self { rules, residence: Residence::default(), batch: Vec::new(), has_changed: false, delay: 0 }))
    }

    fn place(&self, adapter: u32) -> Result<usize, usize> {
        self.batch.binary_search_by_key(&adapter, |entry| entry.0)
    }

    /// Whether a request for it may join: it is in the batch, or there is room for one more.
    pub fn may_run(&self, adapter: u32) -> bool {
        adapter == 0 || self.batch.len() < self.rules.max_active || self.place(adapter).is_ok()
    }

    /// A request for it joins.
    pub fn join(&mut self, adapter: u32) {
        if adapter == 0 {
            return;
        }
        match self.place(adapter) {
            Ok(place) => self.batch[place].1 += 1,
            Err(place) => {
                self.batch.insert(place, (adapter, 1));
                self.has_changed = true;
            }
        }
    }

    /// A request for it leaves.
    pub fn leave(&mut self, adapter: u32) {
        if adapter == 0 {
            return;
        }
        let place = self.place(adapter).expect("who leaves has joined");
        self.batch[place].1 -= 1;
        if self.batch[place].1 == 0 {
            self.batch.remove(place);
            self.has_changed = true;
        }
    }

    /// The next pass begins: returns how many were made active for it.
    pub fn bring(&mut self) -> u64 {
        self.delay = 0;
        if !std::mem::take(&mut self.has_changed) {
            return 0;
        }
        let wanted: Vec<u32> = self.batch.iter().map(|entry| entry.0).collect();
        let Brought { loads, time } = self.residence.bring(&self.rules, &wanted);
        self.delay = time;
        loads
    }

    /// The law of the batch, if it is another than without adapters.
    pub fn curve(&self) -> Option<&Curve> {
        self.rules.curve(self.batch.len())
    }
}

/// The adapters of requests, ascending.
pub fn adapters_of<'a>(jobs: impl Iterator<Item = &'a Job>) -> Vec<u32> {
    let mut adapters: Vec<u32> = jobs.map(|job| job.adapter).filter(|adapter| *adapter > 0).collect();
    adapters.sort_unstable();
    adapters.dedup();
    adapters
}

#[cfg(test)]
mod tests {
    use units::SimDuration;

    use super::*;

    fn rules(max_active: u32, max_kept: u32) -> AdapterRules {
        let [load, fetch] = [1, 10].map(SimDuration::from_nanos);
        let spec = AdapterSpec { max_active, max_kept, load, fetch, step_overhead: 0.0 };
        AdapterRules::new(&spec, |_| unreachable!("passes take as long as without"))
    }

    /// Nanoseconds that passes wait, one after another.
    fn waits(rules: &AdapterRules, passes: &[&[u32]]) -> Vec<u64> {
        let mut residence = Residence::default();
        passes
            .iter()
            .map(|wanted| residence.bring(rules, wanted).time >> super::super::iteration::FRACTION_BITS)
            .collect()
    }

    #[test]
    fn the_one_whose_use_is_longest_ago_makes_room() {
        // 1 and 2 are there; 1 is used again, so that 3 takes the slot of 2.
        let passes: [&[u32]; 6] = [&[1, 2], &[1], &[3], &[1, 3], &[2], &[3]];
        assert_eq!(waits(&rules(2, 2), &passes), [22, 0, 11, 0, 11, 0]);
        // With a place in memory more 2 is only loaded when it comes back.
        assert_eq!(waits(&rules(2, 3), &passes), [22, 0, 11, 0, 1, 0]);
    }

    #[test]
    fn what_a_pass_needs_is_not_displaced_for_it() {
        // 2 is the one used longest ago, and needed beside 1, which is not there.
        assert_eq!(waits(&rules(2, 2), &[&[2], &[3], &[1, 2], &[2]]), [11, 11, 11, 0]);
    }

    #[test]
    fn a_further_pass_with_the_same_adapters_changes_nothing() {
        let rules = rules(3, 3);
        let mut residence = Residence::default();
        residence.bring(&rules, &[2]);
        residence.bring(&rules, &[1, 2, 3]);
        let once = residence.clone();
        assert_eq!(residence.bring(&rules, &[1, 2, 3]), Brought::default());
        assert_eq!((residence.active, residence.kept), (once.active, once.kept));
    }

    #[test]
    fn what_leaves_memory_leaves_its_slot() {
        let mut residence = Residence::default();
        let rules = rules(2, 2);
        for wanted in [[1].as_slice(), &[2], &[3]] {
            residence.bring(&rules, wanted);
        }
        assert_eq!((residence.active, residence.kept), (vec![2, 3], vec![2, 3]));
    }
}
