//! The prometheus scaler (`pkg/scalers/prometheus_scaler.go`).

use std::collections::BTreeMap;

use super::Metadata;
use crate::keda::annotations::parse_bool;

/// Metadata of a prometheus trigger.
#[derive(Clone, Debug, PartialEq)]
pub struct PrometheusMetadata {
    /// `query`, evaluated as an instant query at the current whole second.
    pub query: String,
    /// `threshold`: the HPA's target, no part in activation.
    pub threshold: f64,
    /// `activationThreshold`, default 0.
    pub activation_threshold: f64,
    /// `ignoreNullValues`, default true: an answer without a number reads as 0 instead of an error.
    pub ignore_null_values: bool,
}

impl PrometheusMetadata {
    /// Keys that take part in the model; others change how the server is reached, not what it answers.
    pub const KEYS: [&str; 6] =
        ["serverAddress", "query", "threshold", "activationThreshold", "ignoreNullValues", "timeout"];

    /// Reads the metadata; the text of the error names the key.
    pub fn parse(metadata: &BTreeMap<String, String>) -> Result<Self, String> {
        let metadata = Metadata(metadata);
        metadata.required("serverAddress")?;
        if let Some(timeout) = metadata.text("timeout") {
            check_timeout(timeout)?;
        }
        let ignore_null_values = match metadata.text("ignoreNullValues") {
            None => true,
            Some(found) => {
                parse_bool(found).ok_or_else(|| format!("metadata.ignoreNullValues: `{found}` is not a boolean"))?
            }
        };
        Ok(Self {
            query: metadata.required("query")?.to_owned(),
            threshold: metadata.required_number("threshold")?,
            activation_threshold: metadata.number("activationThreshold")?.unwrap_or(0.0),
            ignore_null_values,
        })
    }

    /// The one number in an instant vector.
    pub fn value_of(&self, values: &[f64]) -> Result<f64, String> {
        match values {
            [] => self.null("the result is empty"),
            [value] if value.is_finite() => Ok(*value),
            [value] => self.null(&format!("the value is {value}")),
            several => Err(format!("the query returned {} elements, one is accepted: aggregate it", several.len())),
        }
    }

    /// What an answer without a number comes to.
    pub fn null(&self, what: &str) -> Result<f64, String> {
        if self.ignore_null_values {
            Ok(0.0)
        } else {
            Err(format!("{what}, the target may be lost (ignoreNullValues is false)"))
        }
    }

    /// True strictly above the activation threshold.
    pub fn is_active(&self, value: f64) -> bool {
        value > self.activation_threshold
    }
}

/// A number of milliseconds, or a Go duration; never negative.
fn check_timeout(text: &str) -> Result<(), String> {
    let is_duration = || {
        let mut rest = text;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|length| *length > 0)?;
            let unit = ["ns", "us", "µs", "ms", "s", "m", "h"].into_iter().find(|unit| {
                let after = rest[digits..].strip_prefix(unit);
                after.is_some_and(|after| after.is_empty() || after.starts_with(|c: char| c.is_ascii_digit()))
            })?;
            rest = &rest[digits + unit.len()..];
        }
        Some(())
    };
    if text.parse::<u64>().is_ok() || is_duration().is_some() {
        return Ok(());
    }
    Err(format!("metadata.timeout: `{text}` is neither milliseconds nor a duration of 0 or more"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(extra: &[(&str, &str)]) -> Result<PrometheusMetadata, String> {
        let base = [("serverAddress", "http://p:9090"), ("query", "sum(x)"), ("threshold", "5")];
        PrometheusMetadata::parse(&base.iter().chain(extra).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn a_lost_metric_reads_as_zero_unless_told_otherwise() {
        let lenient = metadata(&[]).unwrap();
        let strict = metadata(&[("ignoreNullValues", "f")]).unwrap();
        for values in [vec![], vec![f64::NAN], vec![f64::NEG_INFINITY]] {
            assert_eq!(lenient.value_of(&values), Ok(0.0));
            assert!(strict.value_of(&values).is_err());
        }
        assert!(lenient.value_of(&[1.0, 2.0]).is_err());
    }

    #[test]
    fn timeouts_are_milliseconds_or_durations() {
        for good in ["1000", "0", "1s", "1m30s", "1.5h", "250ms"] {
            assert!(metadata(&[("timeout", good)]).is_ok(), "{good}");
        }
        for bad in ["-1", "a", "s", "1x", "-1s", "1s2"] {
            assert!(metadata(&[("timeout", bad)]).is_err(), "{bad}");
        }
    }
}
