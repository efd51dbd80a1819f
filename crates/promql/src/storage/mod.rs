//! The series store: interned label sets and the samples of the last while.
//!
//! Series come in targets, which are scraped as a whole; a series of its own is a target with one column. The store
//! knows nothing about who is scraped or why, and it never looks at a clock: every time is an argument.

mod block;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::labels::Labels;
use block::{Block, EndOfRun};
pub use block::{MISSING, STALE, Sample, is_missing, is_stale};

/// A series of its own, made by [`Storage::series`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesId(u32);

/// A target, made by [`Storage::add_target`]. Ids of targets that ended and were forgotten are given out again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TargetId(u32);

/// Where a series lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    block: u32,
    column: u32,
}

/// The series of one metric, sorted by labels.
#[derive(Debug, Default)]
struct Postings {
    series: Vec<(Labels, Place)>,
    /// Value of the store's change counter when this list last changed.
    changed_at: u64,
}

#[derive(Debug)]
struct Target {
    block: Block,
    series: Vec<Labels>,
}

/// Series and their recent samples.
#[derive(Debug)]
pub struct Storage {
    /// Tells two stores apart by address, so that a query notices when it is asked about another one.
    identity: Arc<()>,
    retention_ms: i64,
    targets: Vec<Option<Target>>,
    free: Vec<u32>,
    /// Targets whose run has ended, waiting to be forgotten.
    ended: Vec<u32>,
    by_name: BTreeMap<Arc<str>, Postings>,
    changes: u64,
}

impl Storage {
    /// A store that may forget samples older than `retention_ms` relative to the newest of their target. Size it by
    /// [`crate::Query::lookbehind_ms`] of every query, plus one second for callers that truncate the query time.
    pub fn new(retention_ms: i64) -> Self {
        Self {
            identity: Arc::new(()),
            retention_ms,
            targets: Vec::new(),
            free: Vec::new(),
            ended: Vec::new(),
            by_name: BTreeMap::new(),
            changes: 0,
        }
    }

    /// Number of series held.
    pub fn series_count(&self) -> usize {
        self.by_name.values().map(|postings| postings.series.len()).sum()
    }

    /// The id of a series of its own, made if new. Cost: a lookup; keep the id.
    ///
    /// # Panics
    /// If the labels belong to a series of a target.
    pub fn series(&mut self, labels: &Labels) -> SeriesId {
        if let Some(place) = self.place(labels) {
            let target = self.targets[place.block as usize].as_ref().expect("a listed series has a target");
            assert_eq!(target.series.len(), 1, "{labels} belongs to a scraped target");
            return SeriesId(place.block);
        }
        SeriesId(self.insert(vec![labels.clone()]))
    }

    /// The id of a series of its own, made if new; None if a scraped target gives it. A series that had ended goes on.
    pub fn own_series(&mut self, labels: &Labels) -> Option<SeriesId> {
        let Some(place) = self.place(labels) else { return Some(SeriesId(self.insert(vec![labels.clone()]))) };
        let is_own = self.targets[place.block as usize].as_ref().is_some_and(|target| target.series.len() == 1);
        if is_own {
            self.ended.retain(|&ended| ended != place.block);
        }
        is_own.then_some(SeriesId(place.block))
    }

    /// Ends a series of its own with a staleness marker at `t_ms`; [`Self::collect`] may forget it once nothing of it is in reach, and
    /// with it its id. Nothing happens if the series has a sample as new as this.
    pub fn end_series(&mut self, labels: &Labels, t_ms: i64) {
        let Some(id) = self.own_series(labels) else { return };
        if self.append(id, t_ms, STALE) {
            self.ended.push(id.0);
        }
    }

    /// Adds one sample, or a [`STALE`] marker. False, and nothing stored, if the series has a sample as new as this.
    pub fn append(&mut self, id: SeriesId, t_ms: i64, value: f64) -> bool {
        self.push(id.0, t_ms, value, &[])
    }

    /// Registers a target: its `up` series and the series it exposes, in the order in which [`Self::scrape`] gives
    /// their values. A target with the same series that has ended is resumed.
    ///
    /// # Panics
    /// If one of the series exists and belongs to somebody else.
    pub fn add_target(&mut self, up: Labels, series: Vec<Labels>) -> TargetId {
        let mut all = vec![up];
        all.extend(series);
        if let Some(place) = self.place(&all[0]) {
            let old = self.targets[place.block as usize].as_ref().expect("a listed series has a target");
            assert!(old.block.end.is_some(), "{} is already scraped", all[0]);
            assert!(old.series == all, "{} came back with other series", all[0]);
            self.ended.retain(|&ended| ended != place.block);
            return TargetId(place.block);
        }
        TargetId(self.insert(all))
    }

    /// Registers series that are always scraped together and have no `up` of their own, as [`Self::record`] gives their values: a part of
    /// what a target shows. Those that another holds already are left out, as a server drops duplicate samples; what is kept is said for
    /// each. Series that were registered together before and have ended go on. None if nothing is left.
    pub fn add_group(&mut self, series: &[Labels]) -> Option<(TargetId, Vec<bool>)> {
        if let Some(place) = series.first().and_then(|first| self.place(first))
            && self.target_mut(place.block).series == series
            && self.target_mut(place.block).block.end.is_some()
        {
            self.ended.retain(|&ended| ended != place.block);
            return Some((TargetId(place.block), vec![true; series.len()]));
        }
        let mut kept: Vec<Labels> = Vec::with_capacity(series.len());
        let is_kept = series.iter().map(|labels| {
            let is_free = self.place(labels).is_none() && !kept.contains(labels);
            if is_free {
                kept.push(labels.clone());
            }
            is_free
        });
        let is_kept: Vec<bool> = is_kept.collect();
        (!kept.is_empty()).then(|| (TargetId(self.insert(kept)), is_kept))
    }

    /// Whether there is a series with these labels.
    pub fn holds(&self, labels: &Labels) -> bool {
        self.place(labels).is_some()
    }

    /// Stores one value for each series of a group; see [`Self::scrape`].
    ///
    /// # Panics
    /// If the number of values is not the number of series.
    pub fn record(&mut self, id: TargetId, t_ms: i64, values: &[f64]) -> bool {
        self.push(id.0, t_ms, values[0], &values[1..])
    }

    /// Adds a series to a target, as the new last value of each scrape. Cost: the target's history is copied.
    pub fn add_series(&mut self, id: TargetId, labels: Labels) {
        assert!(self.place(&labels).is_none(), "{labels} exists");
        let target = self.target_mut(id.0);
        target.series.push(labels.clone());
        let column = target.block.widen() as u32;
        self.list(labels, Place { block: id.0, column });
    }

    /// Stores a successful scrape: `up` 1 and one value for each registered series. [`MISSING`] says that the scrape
    /// did not show a series; if the scrape before did, it becomes a staleness marker. False, and nothing stored, if
    /// there is a scrape as new as this.
    ///
    /// # Panics
    /// If the number of values is not the number of series.
    pub fn scrape(&mut self, id: TargetId, t_ms: i64, values: &[f64]) -> bool {
        self.push(id.0, t_ms, 1.0, values)
    }

    /// Stores a failed scrape: `up` 0 and a staleness marker for every series of the scrape before.
    pub fn scrape_failed(&mut self, id: TargetId, t_ms: i64) -> bool {
        let nothing = vec![MISSING; self.target_mut(id.0).block.width() - 1];
        self.push(id.0, t_ms, 0.0, &nothing)
    }

    /// Ends a target that left discovery. Prometheus waits for two more ticks and a tenth of an interval, then marks
    /// all series of the target as stale since the first missed tick (scrape.go:endOfRunStaleness).
    pub fn end_target(&mut self, id: TargetId, interval_ms: i64) {
        let block = &mut self.target_mut(id.0).block;
        let last_ms = block.last_ms().unwrap_or(i64::MIN / 2);
        // A target that was resumed but not scraped since keeps its first end.
        block.end.get_or_insert(EndOfRun {
            stamp_ms: last_ms + interval_ms,
            visible_from_ms: last_ms + interval_ms * 21 / 10,
        });
        if !self.ended.contains(&id.0) {
            self.ended.push(id.0);
        }
    }

    /// Forgets ended targets whose samples are all out of reach at `now_ms`. Cost: the number of ended targets; call
    /// it now and then.
    pub fn collect(&mut self, now_ms: i64) {
        let (targets, retention_ms) = (&mut self.targets, self.retention_ms);
        let (gone, kept): (Vec<u32>, Vec<u32>) = self.ended.iter().copied().partition(|&index| {
            let target = targets[index as usize].as_ref().expect("an ended target is held until collected");
            target.block.last_ms().is_none_or(|last| last <= now_ms - retention_ms)
        });
        self.ended = kept;
        for index in gone {
            let target = self.targets[index as usize].take().expect("an ended target is held until collected");
            for labels in target.series {
                self.unlist(&labels);
            }
            self.free.push(index);
        }
    }

    fn push(&mut self, index: u32, t_ms: i64, first: f64, rest: &[f64]) -> bool {
        let retention_ms = self.retention_ms;
        let block = &mut self.target_mut(index).block;
        if let Some(end) = block.end
            && block.last_ms().is_none_or(|last| t_ms > last)
        {
            // The target came back. Markers already written stay; later ones would be out of order and are dropped.
            if t_ms >= end.visible_from_ms {
                block.push_end(end.stamp_ms);
            }
            block.end = None;
            self.ended.retain(|&ended| ended != index);
        }
        let block = &mut self.target_mut(index).block;
        let is_stored = block.push(t_ms, first, rest);
        block.forget(t_ms.saturating_sub(retention_ms));
        is_stored
    }

    fn target_mut(&mut self, index: u32) -> &mut Target {
        self.targets[index as usize].as_mut().expect("the id of a target that was not forgotten")
    }

    fn insert(&mut self, series: Vec<Labels>) -> u32 {
        let index = self.free.pop().unwrap_or(self.targets.len() as u32);
        for (column, labels) in series.iter().enumerate() {
            self.list(labels.clone(), Place { block: index, column: column as u32 });
        }
        let target = Some(Target { block: Block::new(series.len()), series });
        match self.targets.get_mut(index as usize) {
            Some(slot) => *slot = target,
            None => self.targets.push(target),
        }
        index
    }

    fn place(&self, labels: &Labels) -> Option<Place> {
        let series = &self.by_name.get(labels.metric_name())?.series;
        let at = series.binary_search_by(|(listed, _)| listed.cmp(labels)).ok()?;
        Some(series[at].1)
    }

    fn list(&mut self, labels: Labels, place: Place) {
        self.changes += 1;
        let postings = self.by_name.entry(labels.metric_name().into()).or_default();
        postings.changed_at = self.changes;
        match postings.series.binary_search_by(|(listed, _)| listed.cmp(&labels)) {
            Ok(_) => panic!("{labels} is registered twice"),
            Err(at) => postings.series.insert(at, (labels, place)),
        }
    }

    fn unlist(&mut self, labels: &Labels) {
        self.changes += 1;
        let postings = self.by_name.get_mut(labels.metric_name()).expect("a listed series has postings");
        postings.changed_at = self.changes;
        if let Ok(at) = postings.series.binary_search_by(|(listed, _)| listed.cmp(labels)) {
            postings.series.remove(at);
        }
        if postings.series.is_empty() {
            self.by_name.remove(labels.metric_name());
        }
    }

    /// A token that is the same object as long as this store lives.
    pub(crate) fn identity(&self) -> &Arc<()> {
        &self.identity
    }

    /// Changes whenever a series of this metric (of any, if `None`) comes or goes.
    pub(crate) fn version(&self, name: Option<&str>) -> u64 {
        name.map_or(self.changes, |name| self.by_name.get(name).map_or(0, |postings| postings.changed_at))
    }

    /// All series, or those of one metric, sorted by labels within each metric.
    pub(crate) fn all_series(&self, name: Option<&str>) -> impl Iterator<Item = (&Labels, Place)> {
        let (one, every) = match name {
            Some(name) => (self.by_name.get(name), None),
            None => (None, Some(self.by_name.values())),
        };
        let postings = one.into_iter().chain(every.into_iter().flatten());
        postings.flat_map(|postings| postings.series.iter().map(|(labels, place)| (labels, *place)))
    }

    pub(crate) fn newest(&self, place: Place, after_ms: i64, to_ms: i64, now_ms: i64) -> Option<Sample> {
        self.block(place).newest(place.column as usize, after_ms, to_ms, now_ms)
    }

    pub(crate) fn samples(&self, place: Place, after_ms: i64, to_ms: i64, into: &mut Vec<Sample>) {
        self.block(place).collect(place.column as usize, after_ms, to_ms, into);
    }

    pub(crate) fn has_any(&self, place: Place, from_ms: i64, to_ms: i64) -> bool {
        self.block(place).has_any(place.column as usize, from_ms, to_ms)
    }

    fn block(&self, place: Place) -> &Block {
        &self.targets[place.block as usize].as_ref().expect("a selection is renewed when series go").block
    }
}
