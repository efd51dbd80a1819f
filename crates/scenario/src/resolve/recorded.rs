//! A recorded path of replica counts, as it is replayed.

use policy::recorded::RecordedPath;
use units::SimDuration;

use crate::data::RateRow;
use crate::error::ScenarioError;
use crate::file::{RateSeriesFile, RecordedFile, SeriesUnit};

use super::Context;
use super::policies::REPLICAS_MAX;

impl Context<'_> {
    /// The counts that hold from the start of the run on. Gaps, and an end before the run's, are noted: the count before holds there.
    pub(super) fn recorded(
        &mut self,
        file: &RecordedFile,
        (policy, path): (&str, &str),
        length: SimDuration,
    ) -> Result<RecordedPath, ScenarioError> {
        let below = |key: &str| format!("{path}.{key}");
        let name = self.file_of(&file.file, &below("file"))?;
        let columns = RateSeriesFile {
            file: file.file.clone(),
            time: file.time.clone(),
            time_unit: file.time_unit,
            every: None,
            value: file.value.clone(),
            value_unit: SeriesUnit::PerSecond,
            start_at: file.start_at,
            filter: file.filter.clone(),
        };
        let rows = self.data.rates(&name, &columns)?;
        if let Some(value) = rows.iter().filter_map(|row| row.value).find(|value| !is_count(*value)) {
            let reason = format!(
                "`{}` holds {value}, which is no number of replicas (whole, at most {REPLICAS_MAX})",
                file.file
            );
            return Err(self.inconsistent(&below("value"), &reason));
        }
        let start_ns = rows[0].at_ns + file.start_at.duration().as_nanos() as i64;
        let changes = changes(&rows, start_ns).ok_or_else(|| {
            let reason = format!("at the start of the run `{}` holds no count, nor before it", file.file);
            self.inconsistent(&below("startAt"), &reason)
        })?;
        let end_ns = start_ns + length.as_nanos() as i64;
        let in_run = || rows.iter().filter(|row| row.at_ns >= start_ns && row.at_ns < end_ns);
        let gaps = in_run().filter(|row| row.value.is_none()).count();
        if gaps > 0 {
            let all = in_run().count();
            self.note(format!(
                "policy {policy}: {} has no count in {gaps} of {all} rows; the one before holds",
                file.file
            ));
        }
        let last_ns = rows[rows.len() - 1].at_ns;
        let usual_ns = last_ns - rows[rows.len() - 2].at_ns;
        if last_ns + usual_ns < end_ns {
            let at = SimDuration::from_nanos((last_ns - start_ns).max(0) as u64);
            self.note(format!(
                "policy {policy}: the last row of {} is {at} after the start; its count holds to the end of the run",
                file.file
            ));
        }
        RecordedPath::new(changes).ok_or_else(|| self.inconsistent(&below("file"), "holds no path of counts"))
    }
}

fn is_count(value: f64) -> bool {
    value.fract() == 0.0 && (0.0..=f64::from(REPLICAS_MAX)).contains(&value)
}

/// Where the count changes, from `start_ns` of the recording on; `None` if no count is known there.
fn changes(rows: &[RateRow], start_ns: i64) -> Option<Vec<(SimDuration, u32)>> {
    let counts = || rows.iter().filter_map(|row| Some((row.at_ns, row.value? as u32)));
    let (_, at_start) = counts().take_while(|(at, _)| *at <= start_ns).last()?;
    let mut changes = vec![(SimDuration::ZERO, at_start)];
    for (at, count) in counts().filter(|(at, _)| *at > start_ns) {
        if changes.last().is_some_and(|(_, last)| *last != count) {
            changes.push((SimDuration::from_nanos((at - start_ns) as u64), count));
        }
    }
    Some(changes)
}
