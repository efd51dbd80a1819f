//! Load tests as a CSV table, a run in each row: columns by their usual names, units by their endings.

use std::collections::BTreeMap;

use super::{Told, load};
use crate::CalibrateError;
use crate::service::run::{LlmRun, RunTokens, Statistic};

const WHAT: &str = "table of load tests";

const PROMPTS: &[&str] =
    &["prompt", "prompt_tokens", "input_tokens", "mean_in_tokens", "mean_input_tokens", "isl", "input_len"];
const OUTPUTS: &[&str] = &["output", "output_tokens", "mean_out_tokens", "mean_output_tokens", "osl", "output_len"];
const BOUNDS: &[&str] = &["concurrency", "max_concurrency"];
const RATES: &[&str] = &["rate", "request_rate", "requested_rate", "requested_rps", "rps"];
const ACHIEVED: &[&str] =
    &["achieved_rps", "achieved_rate", "request_throughput", "requests_per_second", "requests_per_sec"];
const TOKENS_PER_SECOND: &[&str] =
    &["throughput", "output_throughput", "out_tok_per_s", "output_tokens_per_second", "output_throughput_tok_s"];
const COUNTS: &[&str] = &["completed", "successes", "requests", "count"];
const FAILURES: &[&str] = &["failures", "failed", "errors"];

/// Rows to keep: those whose column has this value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The column.
    pub column: String,
    /// Its value, letter by letter, or as a number.
    pub value: String,
}

/// Whether a text looks like such a table: its first line names a time to first token or per token.
pub(super) fn is_one(text: &str) -> bool {
    let header = text.lines().next().unwrap_or_default().to_lowercase();
    header.contains(',') && (header.contains("ttft") || header.contains("tpot") || header.contains("itl"))
}

/// Reads the rows chosen. Columns that the table does not have come from what the user told.
pub fn table(name: &str, text: &str, choice: &[Choice], told: &Told) -> Result<Vec<LlmRun>, CalibrateError> {
    let json = |error: csv::Error| CalibrateError::Json { what: WHAT, reason: error.to_string() };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers().map_err(json)?.iter().map(str::to_owned).collect();
    let columns = Columns::of(&header);
    for one in choice {
        columns.needs(&[&one.column], "--where")?;
    }
    let mut runs = Vec::new();
    for record in reader.records() {
        let record = record.map_err(json)?;
        let line = record.position().map_or(0, csv::Position::line);
        let row = Row { columns: &columns, cells: record.iter().collect(), line };
        if choice.iter().all(|one| row.is(one)) {
            runs.push(row.run(name, told)?);
        }
    }
    if runs.is_empty() {
        let reason =
            if choice.is_empty() { "no rows".to_owned() } else { "no row has what --where asks for".to_owned() };
        return Err(CalibrateError::Nothing { what: WHAT, reason });
    }
    Ok(runs)
}

struct Columns {
    header: Vec<String>,
    places: BTreeMap<String, usize>,
}

impl Columns {
    fn of(header: &[String]) -> Self {
        let places = header.iter().enumerate().map(|(place, name)| (name.to_lowercase(), place)).collect();
        Self { header: header.to_vec(), places }
    }

    fn find(&self, names: &[&str]) -> Option<usize> {
        names.iter().find_map(|name| self.places.get(&name.to_lowercase()).copied())
    }

    fn needs(&self, names: &[&str], what: &str) -> Result<usize, CalibrateError> {
        self.find(names).ok_or_else(|| CalibrateError::Field {
            what: WHAT,
            field: format!("{what} ({})", names.join(", ")),
            found: format!("not among the columns: {}", self.header.join(", ")),
            expected: "a column of one of these names",
        })
    }

    /// The column of a latency, its unit in seconds, and which figure it is: `ttft_ms`, `mean_ttft_ms`, `ttft_p50_s`, `tpot_measured_ms`.
    fn latency(&self, metrics: &[&str]) -> Option<(usize, f64, Statistic)> {
        let units = [("ms", 1e-3), ("s", 1.0), ("us", 1e-6)];
        let kinds =
            [("", Statistic::Mean), ("mean", Statistic::Mean), ("avg", Statistic::Mean), ("measured", Statistic::Mean)];
        let medians = [("median", Statistic::Median), ("p50", Statistic::Median)];
        for (kind, statistic) in kinds.into_iter().chain(medians) {
            for metric in metrics {
                for (unit, scale) in units {
                    let names = if kind.is_empty() {
                        vec![format!("{metric}_{unit}")]
                    } else {
                        vec![format!("{metric}_{kind}_{unit}"), format!("{kind}_{metric}_{unit}")]
                    };
                    if let Some(place) = names.iter().find_map(|name| self.places.get(name)) {
                        return Some((*place, scale, statistic));
                    }
                }
            }
        }
        None
    }
}

struct Row<'a> {
    columns: &'a Columns,
    cells: Vec<&'a str>,
    line: u64,
}

impl Row<'_> {
    fn is(&self, choice: &Choice) -> bool {
        let place = self.columns.find(&[&choice.column]);
        let cell = place.and_then(|place| self.cells.get(place)).copied().unwrap_or_default();
        let number = |text: &str| text.parse::<f64>().ok();
        cell == choice.value || number(cell).is_some_and(|cell| Some(cell) == number(&choice.value))
    }

    /// The number in a column; an empty cell is none.
    fn number(&self, place: usize) -> Result<Option<f64>, CalibrateError> {
        let cell = self.cells.get(place).copied().unwrap_or_default();
        if cell.is_empty() {
            return Ok(None);
        }
        match cell.parse::<f64>() {
            Ok(number) if number >= 0.0 && number.is_finite() => Ok(Some(number)),
            _ => Err(CalibrateError::Field {
                what: WHAT,
                field: format!("{} of line {}", self.columns.header[place], self.line),
                found: format!("`{cell}`"),
                expected: "a number, not negative",
            }),
        }
    }

    fn first(&self, names: &[&str]) -> Result<Option<f64>, CalibrateError> {
        self.columns.find(names).map_or(Ok(None), |place| self.number(place))
    }

    fn needed(&self, names: &[&str], told: Option<f64>, what: &str) -> Result<f64, CalibrateError> {
        if let Some(value) = self.first(names)?.or(told) {
            return Ok(value);
        }
        self.columns.needs(names, what)?;
        Err(CalibrateError::Field {
            what: WHAT,
            field: format!("{what} of line {}", self.line),
            found: "empty".to_owned(),
            expected: "a number, not negative",
        })
    }

    fn latency(&self, metrics: &[&str]) -> Result<Option<(f64, Statistic)>, CalibrateError> {
        let Some((place, scale, statistic)) = self.columns.latency(metrics) else { return Ok(None) };
        Ok(self.number(place)?.map(|value| (value * scale, statistic)))
    }

    fn run(&self, name: &str, told: &Told) -> Result<LlmRun, CalibrateError> {
        let prompt = self.needed(PROMPTS, told.prompt_tokens, "prompt tokens")?;
        let output = self.needed(OUTPUTS, told.output_tokens, "output tokens")?;
        let bound = self.first(BOUNDS)?.or(told.concurrency.map(f64::from));
        let rate = self.first(RATES)?.or(told.rate);
        if bound.is_none() && rate.is_none() {
            self.columns.needs(&[BOUNDS, RATES].concat(), "how requests were sent")?;
        }
        let (ttft, tpot) = (self.latency(&["ttft"])?, self.latency(&["tpot", "itl", "inter_token_latency"])?);
        let e2e = self.latency(&["e2e", "e2el", "e2e_latency", "request_latency", "latency"])?;
        let statistic = tpot.or(ttft).map_or(Statistic::Mean, |found| found.1);
        let completed = self.first(COUNTS)?;
        let failed = self.first(FAILURES)?.unwrap_or_default();
        let by_tokens = self.first(TOKENS_PER_SECOND)?.map(|tokens| tokens / output.max(1.0));
        let by_loop = || bound.zip(e2e).map(|(bound, (e2e, _))| bound / e2e);
        let achieved = self.first(ACHIEVED)?.or(by_tokens).or_else(by_loop).or(rate);
        let source = self.columns.find(&["source"]).and_then(|place| self.cells.get(place)).copied();
        Ok(LlmRun {
            name: format!("{name} line {}", self.line),
            load: load(rate, bound, completed.unwrap_or(1.0)),
            completed,
            requests_per_second: achieved.unwrap_or_default(),
            prompt: RunTokens::constant(prompt),
            output: RunTokens::constant(output),
            tokens: Vec::new(),
            ttfts_s: Vec::new(),
            statistic,
            ttft_s: ttft.map(|found| found.0),
            tpot_s: tpot.map(|found| found.0),
            e2e_s: e2e.map(|found| found.0),
            failed_share: failed / (completed.unwrap_or_default() + failed).max(1.0),
            ttft_thirds_s: None,
            is_simulated: source.is_some_and(|source| source.contains("simul")),
            model: self.columns.find(&["model"]).and_then(|place| self.cells.get(place)).map(|cell| (*cell).to_owned()),
        })
    }
}
