//! A JSON document whose fields are numbers at paths.

use serde_json::Value;

use crate::CalibrateError;

/// The document.
pub(super) struct Document {
    pub what: &'static str,
    pub value: Value,
}

impl Document {
    pub fn parse(what: &'static str, text: &str) -> Result<Self, CalibrateError> {
        let value =
            serde_json::from_str(text).map_err(|error| CalibrateError::Json { what, reason: error.to_string() })?;
        Ok(Self { what, value })
    }

    pub fn has(&self, path: &str) -> bool {
        self.value.pointer(path).is_some()
    }

    /// The number at a path; `None` if it is not there, or null.
    pub fn maybe(&self, path: &str) -> Result<Option<f64>, CalibrateError> {
        let Some(found) = self.value.pointer(path).filter(|value| !value.is_null()) else { return Ok(None) };
        match found.as_f64().filter(|number| number.is_finite() && *number >= 0.0) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(path, "a number, not negative")),
        }
    }

    pub fn number(&self, path: &str) -> Result<f64, CalibrateError> {
        self.maybe(path)?.ok_or_else(|| self.wrong(path, "a number, not negative"))
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.value.pointer(path).and_then(Value::as_str)
    }

    /// The numbers of the list at a path; none if there is no list.
    pub fn list(&self, path: &str) -> Vec<f64> {
        let list = self.value.pointer(path).and_then(Value::as_array);
        list.map(|list| list.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
    }

    pub fn wrong(&self, path: &str, expected: &'static str) -> CalibrateError {
        let found = self.value.pointer(path).map_or_else(|| "missing".to_owned(), Value::to_string);
        let field = path.trim_start_matches('/').replace('/', ".");
        CalibrateError::Field { what: self.what, field, found, expected }
    }
}
