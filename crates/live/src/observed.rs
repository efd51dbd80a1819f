//! Latencies and GPU use as they were seen: not what a run is made of, but what it can be held against.

use crate::answer::Series;
use crate::families::LATENCIES;
use crate::grid::Grid;
use crate::select::Matchers;

/// Quantiles of a latency column.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99)];

/// Columns on rows of five minutes or a step, whichever is longer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Names of the columns that have a value somewhere.
    pub columns: Vec<String>,
    /// By column, by row.
    pub values: Vec<Vec<Option<f64>>>,
}

/// What is asked for one column.
pub(crate) struct Question {
    /// Name of the column, and of kept answers.
    pub column: String,
    /// The expression, over `window`.
    pub expression: String,
}

/// Rows of `step`, but not shorter than five minutes: quantiles of fewer requests say little.
pub(crate) fn grid(of: Grid) -> Grid {
    let least = 300_000_i64.div_euclid(of.step_ms).max(1);
    let step_ms = of.step_ms * least;
    Grid { from_ms: of.from_ms, step_ms, rows: (of.to_ms() - of.from_ms).div_euclid(step_ms) as usize }
}

/// Questions for what is there: `series_of` says of a metric's name what is between the braces for the service's series, if it shows any.
pub(crate) fn questions<'a>(
    matchers: &Matchers,
    window_ms: i64,
    series_of: impl Fn(&str) -> Option<&'a str>,
) -> Vec<Question> {
    let window = format!("{window_ms}ms");
    let mut questions = Vec::new();
    for (column, names) in LATENCIES {
        let shown = names.iter().find_map(|name| Some((name, series_of(&format!("{name}_bucket"))?)));
        let Some((name, selector)) = shown else { continue };
        for (quantile, share) in QUANTILES {
            let expression =
                format!("histogram_quantile({share}, sum by (le) (rate({name}_bucket{{{selector}}}[{window}])))");
            questions.push(Question { column: format!("{column}_{quantile}"), expression });
        }
    }
    let of = |label: &str| format!("avg_over_time(DCGM_FI_DEV_GPU_UTIL{{{}}}[{window}])", matchers.pods_by(label));
    // dcgm-exporter's own pod is `pod` where Prometheus does not honour its labels.
    let expression = format!("avg({} or {}) / 100", of("exported_pod"), of("pod"));
    questions.push(Question { column: "gpu_utilization".to_owned(), expression });
    questions
}

/// One column's samples on the rows: a value at the end of a row is the row's.
pub(crate) fn column(series: &[Series], grid: Grid, values: &mut [Option<f64>]) {
    for sample in series.iter().flat_map(|series| &series.samples).filter(|sample| sample.value.is_finite()) {
        if let Some(row) = grid.row_of(sample.at_ms - grid.step_ms) {
            values[row] = Some(sample.value);
        }
    }
}
