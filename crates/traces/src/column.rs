//! One column of numbers.

use std::path::Path;

use scenario::ScenarioError;
use scenario::file::TimeColumn;

use crate::line::find;
use crate::table::Table;
use crate::text::shortened;

/// The numbers of a column of a CSV or Parquet file, in order of the rows; empty cells are left out.
pub fn column(path: &Path, name: &str) -> Result<Vec<f64>, ScenarioError> {
    let table = Table::read(path)?;
    let file = path.display().to_string();
    let names: Vec<&str> = table.names.iter().map(String::as_str).collect();
    let bad_file = |reason: String| ScenarioError::BadFile { file: file.clone(), reason };
    let place = find(&names, name).map_err(bad_file)?;
    let mut values = Vec::new();
    let mut take = |row: u64, [text, _]: [&str; 2], _: TimeColumn| {
        let text = text.trim();
        if !text.is_empty() {
            let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
            values.push(number.ok_or_else(|| {
                let reason = format!("`{}` is not a number of 0 or more", shortened(text));
                ScenarioError::BadRow { file: file.clone(), row, reason }
            })?);
        }
        Ok(())
    };
    table.each_row([place; 2], &[], TimeColumn::Seconds, &mut take)?;
    if values.is_empty() {
        return Err(bad_file(format!("column `{name}` has no value")));
    }
    Ok(values)
}
