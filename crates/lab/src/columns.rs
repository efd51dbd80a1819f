//! The columns of a replication's summary, by name: their units, how an interval of each is made, and access as numbers.
//!
//! Gates, sweeps, searches and differences of results all speak of columns by name; this is the one list behind them.

use record::ReplicationSummary;

/// What a column's numbers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share, 0..=1.
    Share,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Dollars.
    Dollars,
    /// Hours of one GPU.
    Hours,
    /// A count.
    Count,
}

/// How the interval of a column over replications is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Estimate {
    /// Requests that met the SLO: `statistics::share_interval`.
    Share,
    /// A mean over requests: `statistics::ratio_interval` of sums and counts.
    RequestMean,
    /// A percentile of pooled values in a histogram: `statistics::quantile_interval`.
    Quantile,
    /// Something else of all replications together (money per request, an order statistic): `statistics::log_section_interval`.
    Whole,
    /// One figure per replication: `statistics::mean_interval`.
    Mean,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name, as in every table.
    pub name: &'static str,
    /// Unit of its numbers.
    pub unit: Unit,
    /// How its interval is made.
    pub estimate: Estimate,
    read: fn(&ReplicationSummary) -> f64,
    write: fn(&mut ReplicationSummary, f64),
}

impl Column {
    /// The value in `summary`; NaN where there is none.
    pub fn of(&self, summary: &ReplicationSummary) -> f64 {
        (self.read)(summary)
    }

    /// Puts `value` into `summary`; counts are rounded towards zero.
    pub fn set(&self, summary: &mut ReplicationSummary, value: f64) {
        (self.write)(summary, value);
    }

    /// Whether its numbers are whole ones.
    pub fn is_whole(&self) -> bool {
        self.unit == Unit::Count && !self.name.ends_with("_mean")
    }

    /// Whether of several replications the largest number counts.
    pub fn is_maximum(&self) -> bool {
        self.name.ends_with("_max") || self.name == "metrics_silent"
    }

    /// Whether it is the whole cluster's: no service has a part of it.
    pub fn is_of_the_cluster(&self) -> bool {
        matches!(self.name, "spot_interruptions" | "cost_unallocated_usd")
    }

    /// The column of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        COLUMNS.iter().find(|column| column.name == name)
    }
}

macro_rules! column {
    ($name:ident, $unit:ident, $estimate:ident, whole) => {
        Column {
            name: stringify!($name),
            unit: Unit::$unit,
            estimate: Estimate::$estimate,
            read: |summary| summary.$name as f64,
            write: |summary, value| summary.$name = value as _,
        }
    };
    ($name:ident, $unit:ident, $estimate:ident, real) => {
        Column {
            name: stringify!($name),
            unit: Unit::$unit,
            estimate: Estimate::$estimate,
            read: |summary| summary.$name,
            write: |summary, value| summary.$name = value,
        }
    };
    ($name:ident, $unit:ident, $estimate:ident, optional_whole) => {
        Column {
            name: stringify!($name),
            unit: Unit::$unit,
            estimate: Estimate::$estimate,
            read: |summary| summary.$name.map_or(f64::NAN, |count| count as f64),
            write: |summary, value| summary.$name = (!value.is_nan()).then_some(value as _),
        }
    };
    ($name:ident, $unit:ident, $estimate:ident, optional) => {
        Column {
            name: stringify!($name),
            unit: Unit::$unit,
            estimate: Estimate::$estimate,
            read: |summary| summary.$name.unwrap_or(f64::NAN),
            write: |summary, value| summary.$name = (!value.is_nan()).then_some(value),
        }
    };
}

#[allow(clippy::cast_lossless, reason = "one macro serves counts of 32 and of 64 bits")]
/// Every numeric column of [`ReplicationSummary`] but `replication`, `seed` and `digest`, in the order of the tables.
pub const COLUMNS: &[Column] = &[
    column!(requests, Count, Mean, whole),
    column!(completed, Count, Mean, whole),
    column!(failed, Count, Mean, whole),
    column!(in_system, Count, Mean, whole),
    column!(slo_attainment, Share, Share, real),
    column!(latency_ms_mean, Milliseconds, RequestMean, real),
    column!(latency_ms_p50, Milliseconds, Quantile, real),
    column!(latency_ms_p90, Milliseconds, Quantile, real),
    column!(latency_ms_p95, Milliseconds, Quantile, real),
    column!(latency_ms_p99, Milliseconds, Quantile, real),
    column!(latency_ms_p999, Milliseconds, Quantile, real),
    column!(latency_ms_max, Milliseconds, Mean, real),
    column!(queue_wait_ms_mean, Milliseconds, RequestMean, real),
    column!(cost_usd, Dollars, Mean, real),
    column!(cost_per_million_requests_usd, Dollars, Whole, real),
    column!(cost_serving_usd, Dollars, Mean, real),
    column!(cost_idle_usd, Dollars, Mean, real),
    column!(cost_cold_start_usd, Dollars, Mean, real),
    column!(cost_standby_usd, Dollars, Mean, real),
    column!(cost_draining_usd, Dollars, Mean, real),
    column!(cost_unallocated_usd, Dollars, Mean, real),
    column!(cost_on_demand_usd, Dollars, Mean, real),
    column!(cost_spot_usd, Dollars, Mean, real),
    column!(gpu_hours, Hours, Mean, real),
    column!(replicas_mean, Count, Mean, real),
    column!(replicas_max, Count, Mean, whole),
    column!(cold_starts, Count, Mean, whole),
    column!(cold_start_s_mean, Seconds, Whole, real),
    column!(cold_start_s_p95, Seconds, Whole, real),
    column!(spot_interruptions, Count, Mean, whole),
    column!(requests_lost, Count, Mean, whole),
    column!(scale_ups, Count, Mean, whole),
    column!(scale_downs, Count, Mean, whole),
    column!(rejected, Count, Mean, whole),
    column!(timed_out, Count, Mean, whole),
    column!(ttft_ms_p50, Milliseconds, Quantile, optional),
    column!(ttft_ms_p99, Milliseconds, Quantile, optional),
    column!(tpot_ms_p50, Milliseconds, Quantile, optional),
    column!(tpot_ms_p99, Milliseconds, Quantile, optional),
    column!(cost_reserved_usd, Dollars, Mean, real),
    column!(cost_serverless_usd, Dollars, Mean, real),
    column!(cost_per_thousand_slo_met_usd, Dollars, Whole, real),
    column!(metrics_silent, Count, Mean, whole),
    column!(metric_unanswered_share, Share, Mean, real),
    column!(at_max_share, Share, Mean, real),
    column!(ttft_ms_mean, Milliseconds, RequestMean, optional),
    column!(ttft_ms_p90, Milliseconds, Quantile, optional),
    column!(ttft_ms_p95, Milliseconds, Quantile, optional),
    column!(tpot_ms_mean, Milliseconds, RequestMean, optional),
    column!(tpot_ms_p90, Milliseconds, Quantile, optional),
    column!(tpot_ms_p95, Milliseconds, Quantile, optional),
    column!(kv_usage_mean, Share, Mean, optional),
    column!(kv_usage_max, Share, Mean, optional),
    column!(batch_mean, Count, Mean, optional),
    column!(batch_max, Count, Mean, whole),
    column!(queue_gateway_mean, Count, Mean, real),
    column!(queue_gateway_max, Count, Mean, optional_whole),
    column!(queue_replicas_mean, Count, Mean, real),
    column!(queue_replicas_max, Count, Mean, optional_whole),
    column!(prompt_tokens, Count, Mean, optional_whole),
    column!(output_tokens, Count, Mean, optional_whole),
    column!(cost_per_million_input_tokens_usd, Dollars, Whole, optional),
    column!(cost_per_million_output_tokens_usd, Dollars, Whole, optional),
    column!(replica_changes, Count, Mean, whole),
    column!(latency_ms_p50_all, Milliseconds, Quantile, real),
    column!(latency_ms_p99_all, Milliseconds, Quantile, real),
    column!(latency_ms_p90_all, Milliseconds, Quantile, real),
    column!(latency_ms_p95_all, Milliseconds, Quantile, real),
    column!(latency_ms_p999_all, Milliseconds, Quantile, real),
];

/// A summary from the cells (column name, text) of a row of the `replications` table, as a baseline or a diff reads it back. Empty cells
/// are missing numbers and unknown columns are left out; the error names a column whose cell is not a number.
pub fn read_summary<'a>(
    cells: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<ReplicationSummary, SummaryError> {
    let mut summary = ReplicationSummary::default();
    for (name, text) in cells {
        let bad = || SummaryError { column: name.to_owned(), found: text.to_owned() };
        match name {
            "policy" => text.clone_into(&mut summary.policy),
            "service" => text.clone_into(&mut summary.service),
            "replication" => summary.replication = text.parse().map_err(|_| bad())?,
            "seed" => summary.seed = text.parse().map_err(|_| bad())?,
            "digest" => summary.digest = text.parse().map_err(|_| bad())?,
            _ => {
                if let Some(column) = Column::named(name) {
                    let value = if text.is_empty() { f64::NAN } else { text.parse().map_err(|_| bad())? };
                    column.set(&mut summary, value);
                }
            }
        }
    }
    Ok(summary)
}

/// A cell of a table of replications that is not a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column `{column}`: found `{found}`, expected a number")]
pub struct SummaryError {
    /// The column.
    pub column: String,
    /// What stands there.
    pub found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_summary_is_a_column_or_an_id() {
        let json = serde_json::to_value(ReplicationSummary::default()).unwrap();
        let fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let ids = ["policy", "replication", "seed", "digest"];
        let missing: Vec<&&str> =
            fields.iter().filter(|field| !ids.contains(field) && Column::named(field).is_none()).collect();
        assert!(missing.is_empty(), "no column for {missing:?}");
        assert_eq!(fields.len(), COLUMNS.len() + ids.len());
    }

    #[test]
    fn what_is_set_is_read() {
        for column in COLUMNS {
            let mut summary = ReplicationSummary::default();
            column.set(&mut summary, 3.0);
            assert_eq!(column.of(&summary), 3.0, "{}", column.name);
        }
    }

    #[test]
    fn a_row_of_the_table_reads_back() {
        let cells = [
            ("policy", "hpa"),
            ("seed", "18446744073709551615"),
            ("cost_usd", "1.5"),
            ("ttft_ms_p50", ""),
            ("new", "x"),
        ];
        let summary = read_summary(cells).unwrap();
        assert_eq!((summary.policy.as_str(), summary.seed, summary.cost_usd), ("hpa", u64::MAX, 1.5));
        assert_eq!(summary.ttft_ms_p50, None);
        let error = read_summary([("cost_usd", "cheap")]).unwrap_err().to_string();
        assert_eq!(error, "column `cost_usd`: found `cheap`, expected a number");
    }
}
