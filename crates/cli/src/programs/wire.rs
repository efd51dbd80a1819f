//! What a program is told and what it answers, as JSON.

use policy::external::{Sight, Wish};
use policy::{MetricError, MetricReading};
use serde_json::{Map, Value, json};

/// Takes down what is seen, name by name: as JSON for a program, as a dict for Python.
pub trait Notes {
    /// A real number.
    fn number(&mut self, name: &'static str, value: f64);
    /// A whole number.
    fn count(&mut self, name: &'static str, value: u64);
    /// A text.
    fn text(&mut self, name: &'static str, value: &str);
    /// Whole numbers under one name.
    fn counts(&mut self, name: &'static str, values: &[(&'static str, u32)]);
    /// Answers to the metrics of the scenario under one name, and under another why there are none.
    fn metrics(&mut self, names: [&'static str; 2], answers: &mut dyn Iterator<Item = (&str, Result<f64, String>)>);
}

/// Tells `notes` what is seen.
pub fn observe(sight: &Sight<'_>, seed: u64, notes: &mut impl Notes) {
    let (seen, counts) = (sight.seen, sight.seen.counts);
    notes.number("time_s", sight.now.as_secs_f64());
    // As text: not every reader has whole numbers of 64 bits.
    notes.text("seed", &seed.to_string());
    let replicas = [
        ("wanted", counts.spec),
        ("existing", counts.status),
        ("ready", counts.ready),
        ("starting", counts.starting),
        ("standby", counts.standby),
        ("standby_starting", counts.standby_starting),
        ("draining", counts.draining),
    ];
    notes.counts("replicas", &replicas);
    notes.count("floor", seen.floor.into());
    notes.number("arrivals_per_s", sight.arrival_rate);
    notes.count("arrivals", seen.arrivals);
    notes.count("completions", seen.completions);
    notes.count("queue", seen.queue);
    notes.count("in_flight", seen.in_flight);
    if !sight.metrics.is_empty() {
        let names = sight.metrics.iter().map(String::as_str);
        notes.metrics(["metrics", "metric_errors"], &mut names.zip(seen.metrics.iter().map(single)));
    }
}

/// What is seen, as one object of JSON.
pub fn observation(sight: &Sight<'_>, seed: u64) -> Value {
    let mut object = Map::new();
    observe(sight, seed, &mut object);
    object.into()
}

impl Notes for Map<String, Value> {
    fn number(&mut self, name: &'static str, value: f64) {
        self.insert(name.to_owned(), json!(value));
    }

    fn count(&mut self, name: &'static str, value: u64) {
        self.insert(name.to_owned(), json!(value));
    }

    fn text(&mut self, name: &'static str, value: &str) {
        self.insert(name.to_owned(), json!(value));
    }

    fn counts(&mut self, name: &'static str, values: &[(&'static str, u32)]) {
        let values: Self = values.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        self.insert(name.to_owned(), values.into());
    }

    fn metrics(&mut self, names: [&'static str; 2], answers: &mut dyn Iterator<Item = (&str, Result<f64, String>)>) {
        let (mut values, mut errors) = (Self::new(), Self::new());
        for (name, answer) in answers {
            let value = answer.map_or_else(
                |reason| {
                    errors.insert(name.to_owned(), reason.into());
                    Value::Null
                },
                |value| json!(value),
            );
            values.insert(name.to_owned(), value);
        }
        let [of_values, of_errors] = names;
        self.insert(of_values.to_owned(), values.into());
        self.insert(of_errors.to_owned(), errors.into());
    }
}

/// The one number of a metric's answer, or why there is none.
fn single(answer: &Result<MetricReading, MetricError>) -> Result<f64, String> {
    let value = match answer {
        Ok(MetricReading::Vector(values)) => match values[..] {
            [value] => value,
            [] => return Err("no series".to_owned()),
            _ => return Err(format!("{} series; one is needed", values.len())),
        },
        Ok(MetricReading::Scalar(value) | MetricReading::Signal(value)) => *value,
        Ok(_) => return Err("not a number".to_owned()),
        Err(error) => return Err(error.message.clone()),
    };
    if value.is_finite() { Ok(value) } else { Err(value.to_string()) }
}

/// The answer: a number of replicas, `null` for no change, or an object with `replicas` and `reason`. The error says what is wrong with it.
pub fn answer(text: &str) -> Result<Wish, String> {
    let said: Value = serde_json::from_str(text.trim()).map_err(|_| "this is no JSON".to_owned())?;
    let replicas = |value: &Value| match value {
        Value::Null => Ok(None),
        Value::Number(number) => {
            let whole = number
                .as_u64()
                .or_else(|| number.as_f64().filter(|real| real.fract() == 0.0 && *real >= 0.0).map(|real| real as u64));
            let whole = whole.and_then(|whole| u32::try_from(whole).ok());
            whole.map(Some).ok_or_else(|| format!("{number} is no number of replicas"))
        }
        _ => Err("replicas are a whole number, or null to leave them".to_owned()),
    };
    let Value::Object(object) = &said else { return Ok(Wish { replicas: replicas(&said)?, note: String::new() }) };
    if let Some(key) = object.keys().find(|key| !["replicas", "reason"].contains(&key.as_str())) {
        return Err(format!("unknown key `{key}` (one of: replicas, reason)"));
    }
    let note = match object.get("reason") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => return Err("`reason` is text".to_owned()),
    };
    Ok(Wish { replicas: object.get("replicas").map_or(Ok(None), replicas)?, note })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_number_nothing_or_an_object() {
        let wish = |replicas, note: &str| Ok(Wish { replicas, note: note.to_owned() });
        assert_eq!(answer("5\n"), wish(Some(5), ""));
        assert_eq!(answer("5.0"), wish(Some(5), ""));
        assert_eq!(answer("null"), wish(None, ""));
        assert_eq!(answer(r#"{"replicas": 3, "reason": "noon"}"#), wish(Some(3), "noon"));
        assert_eq!(answer(r#"{"reason": "wait"}"#), wish(None, "wait"));
    }

    #[test]
    fn nonsense_is_said_to_be_nonsense() {
        for (said, why) in [
            ("", "no JSON"),
            ("five", "no JSON"),
            ("-1", "-1 is no number of replicas"),
            ("2.5", "2.5 is no number of replicas"),
            ("99999999999", "is no number of replicas"),
            ("true", "whole number"),
            (r#"{"replica": 3}"#, "unknown key `replica`"),
            (r#"{"replicas": 3, "reason": 1}"#, "`reason` is text"),
        ] {
            assert!(answer(said).unwrap_err().contains(why), "{said}");
        }
    }
}
