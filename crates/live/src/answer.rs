//! Answers of the HTTP API, checked.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::LiveError;

/// A value and its time, in milliseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was scraped, or what time it was evaluated for.
    pub at_ms: i64,
    /// The value; may be NaN.
    pub value: f64,
}

impl Sample {
    /// The value as a time in seconds since 1970; `None` if it is none.
    pub fn time_s(&self) -> Option<f64> {
        (0.0..TIME_MAX_S).contains(&self.value).then_some(self.value)
    }
}

/// The year 9999 in seconds since 1970: what is later is no time of a sample.
const TIME_MAX_S: f64 = 253_402_300_800.0;

/// Samples under one set of labels, in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels, the name among them where the answer has one.
    pub labels: BTreeMap<String, String>,
    /// Its samples.
    pub samples: Vec<Sample>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    status: String,
    #[serde(default)]
    data: serde_json::Value,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    metric: BTreeMap<String, String>,
    #[serde(default)]
    value: Option<(f64, String)>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// The error that a server of this API put into a body, if that is what it is.
pub(crate) fn error_in(body: &str) -> Option<String> {
    let envelope: Envelope = serde_json::from_str(body).ok()?;
    (envelope.status == "error").then(|| one_line(&format!("{}: {}", envelope.error_type, envelope.error)))
}

/// How a body begins, for a message.
pub(crate) fn beginning(body: &str) -> String {
    one_line(&body.trim_start().chars().take(60).collect::<String>())
}

/// A stranger's text, which stays on its line.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// What the server warns of beside an answer: Thanos, Mimir and the like answer in part when a store of theirs is away.
pub(crate) fn warnings(body: &str) -> Vec<String> {
    // Few have any, and some are large.
    if !body.contains("\"warnings\"") {
        return Vec::new();
    }
    serde_json::from_str::<Envelope>(body).map(|envelope| envelope.warnings).unwrap_or_default()
}

fn data(body: &str) -> Result<serde_json::Value, LiveError> {
    let no_api = |reason: &str| {
        let start = beginning(body);
        LiveError::input(format!(
            "what answers is no Prometheus API ({reason}; the answer begins with `{start}`): the URL needs the path under which the API is \
             served, and a page to log in on wants --token-file"
        ))
    };
    let envelope: Envelope = serde_json::from_str(body).map_err(|error| no_api(&error.to_string()))?;
    if let Some(error) = error_in(body) {
        let reason = format!("a query fails there: {error}; --chunk asks for less at once");
        return Err(LiveError::environment(reason).of_question());
    }
    if envelope.status != "success" {
        return Err(no_api("its status is not `success`"));
    }
    Ok(envelope.data)
}

/// An answer of the API that has another shape than the question.
pub(crate) fn wrong(reason: impl std::fmt::Display) -> LiveError {
    LiveError::environment(format!(
        "an answer that is not one of the Prometheus API ({reason}): is --url a Prometheus' address?"
    ))
}

/// A vector or a matrix.
pub(crate) fn series(body: &str) -> Result<Vec<Series>, LiveError> {
    let data: Data = serde_json::from_value(data(body)?).map_err(wrong)?;
    if !["vector", "matrix"].contains(&data.result_type.as_str()) {
        return Err(wrong(format!("a {} in place of series", data.result_type)));
    }
    let sample = |(at, value): (f64, String)| {
        let value = match value.as_str() {
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            text => text.parse().map_err(|_| wrong(format!("`{text}` is no value")))?,
        };
        if !(0.0..TIME_MAX_S).contains(&at) {
            return Err(wrong(format!("{at:e} is no time")));
        }
        Ok(Sample { at_ms: (at * 1e3).round() as i64, value })
    };
    let entry = |entry: Entry| {
        let samples: Result<Vec<Sample>, LiveError> = entry.value.into_iter().chain(entry.values).map(sample).collect();
        Ok(Series { labels: entry.metric, samples: samples? })
    };
    data.result.into_iter().map(entry).collect()
}

/// A list of words.
pub(crate) fn words(body: &str) -> Result<Vec<String>, LiveError> {
    serde_json::from_value(data(body)?).map_err(wrong)
}

/// A list of sets of labels.
pub(crate) fn label_sets(body: &str) -> Result<Vec<BTreeMap<String, String>>, LiveError> {
    serde_json::from_value(data(body)?).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_be_no_numbers_and_times_may_not() {
        let of = |at: &str, value: &str| {
            let data = format!(r#"{{"resultType":"vector","result":[{{"metric":{{}},"value":[{at},"{value}"]}}]}}"#);
            series(&format!(r#"{{"status":"success","data":{data}}}"#))
        };
        let value = |text: &str| of("1.5", text).unwrap()[0].samples[0].value;
        assert!(value("NaN").is_nan() && value("+Inf") == f64::INFINITY && value("-Inf") == f64::NEG_INFINITY);
        assert!(of("1.5", "many").unwrap_err().message.contains("`many` is no value"));
        assert!(of("1e300", "1").unwrap_err().message.contains("is no time"));
    }
}
