//! Axes to points.

use super::SweepError;
use super::file::{AxisFile, MethodFile, RangeFile, SampleAxisFile, SampleFile, Scalar};
use crate::columns::Column;
use crate::design::{Dimension, Parameter, SOBOL_DIMENSIONS_MAX, Sample, Scale, Setting, Value};

/// Columns of the table of results besides the summary's.
const RESERVED: [&str; 5] = ["point", "policy", "replication", "seed", "digest"];

/// Most points of a sweep: three seconds to make, and a day to run at ten a second.
const POINTS_MAX: usize = 1_000_000;
/// Most settings of a sample, all parameters of all points together: they are in memory before the first run.
const SETTINGS_MAX: usize = 16 * POINTS_MAX;

/// The parameters of the axes, and all points of their cross product.
pub(super) fn expand(axes: &[AxisFile], seed: u64) -> Result<(Vec<Parameter>, Vec<Vec<Setting>>), SweepError> {
    if axes.is_empty() {
        return Err(SweepError::at("axes", "no axis; a sweep needs at least one"));
    }
    let mut points: Vec<Vec<Setting>> = vec![Vec::new()];
    for (index, axis) in axes.iter().enumerate() {
        let key = format!("axes[{index}]");
        // Each sample is shifted by its own seed: two samples with one shift would move together.
        let rows = rows(axis, &key, seed.wrapping_add(index as u64))?;
        within(points.len().saturating_mul(rows.len()), &key)?;
        points = points
            .iter()
            .flat_map(|point| rows.iter().map(move |row| point.iter().chain(row).cloned().collect()))
            .collect();
    }
    let parameters: Vec<Parameter> =
        points.first().map(|point| point.iter().map(|setting| setting.parameter.clone()).collect()).unwrap_or_default();
    for (index, parameter) in parameters.iter().enumerate() {
        let is_taken = |other: &Parameter| other.name == parameter.name || other.path == parameter.path;
        if parameters[..index].iter().any(is_taken) {
            let problem =
                format!("`{}` ({}) is there twice; give the axes different names", parameter.name, parameter.path);
            return Err(SweepError::at("axes", problem));
        }
        if RESERVED.contains(&parameter.name.as_str()) || Column::named(&parameter.name).is_some() {
            let problem = format!(
                "the table of results has a column `{}` already; give the axis of {} another `name`",
                parameter.name, parameter.path
            );
            return Err(SweepError::at("axes", problem));
        }
    }
    Ok((parameters, points))
}

/// Whether so many points can be held; each is a scenario to run.
fn within(points: usize, key: &str) -> Result<(), SweepError> {
    if points <= POINTS_MAX {
        return Ok(());
    }
    let problem =
        format!("makes {points} points; a sweep has {POINTS_MAX} at most: a coarser step or a `sample` has fewer");
    Err(SweepError::at(key, problem))
}

fn rows(axis: &AxisFile, key: &str, seed: u64) -> Result<Vec<Vec<Setting>>, SweepError> {
    let given = [
        ("values", axis.values.is_some()),
        ("range", axis.range.is_some()),
        ("logRange", axis.log_range.is_some()),
        ("zip", axis.zip.is_some()),
        ("sample", axis.sample.is_some()),
    ];
    let named: Vec<&str> = given.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name).collect();
    if named.len() != 1 {
        let found = if named.is_empty() { "none".to_owned() } else { named.join(" and ") };
        let problem = format!("found {found}, expected exactly one of `values`, `range`, `logRange`, `zip`, `sample`");
        return Err(SweepError::at(key, problem));
    }
    if axis.path.is_some() == (axis.zip.is_some() || axis.sample.is_some()) {
        let problem = if axis.path.is_some() {
            "`path` belongs to the axes inside `zip` and `sample`"
        } else {
            "`path` is missing"
        };
        return Err(SweepError::at(key, problem));
    }
    if let Some(axes) = &axis.zip {
        return zipped(axes, key, seed);
    }
    if let Some(sample) = &axis.sample {
        return sampled(sample, key, seed);
    }
    let parameter = parameter(axis.name.as_deref(), axis.path.as_deref().unwrap_or_default(), key)?;
    let values = values(axis, key)?;
    Ok(values.into_iter().map(|value| vec![Setting { parameter: parameter.clone(), value }]).collect())
}

fn values(axis: &AxisFile, key: &str) -> Result<Vec<Value>, SweepError> {
    let values = match (&axis.values, &axis.range, &axis.log_range) {
        (Some(values), ..) => values.iter().map(|value| Value::new(value.0.clone())).collect(),
        (_, Some(range), _) => range_values(range, Scale::Linear, &format!("{key}.range"))?,
        (.., Some(range)) => range_values(range, Scale::Log, &format!("{key}.logRange"))?,
        _ => Vec::new(),
    };
    if values.is_empty() { Err(SweepError::at(key, "no values")) } else { Ok(values) }
}

fn parameter(name: Option<&str>, path: &str, key: &str) -> Result<Parameter, SweepError> {
    let Some(name) = name else { return Ok(Parameter::at(path)) };
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if is_name {
        Ok(Parameter { name: name.to_owned(), path: path.to_owned() })
    } else {
        Err(SweepError::at(format!("{key}.name"), format!("`{name}` is not a name of letters, digits and underscores")))
    }
}

fn range_values(range: &RangeFile, scale: Scale, key: &str) -> Result<Vec<Value>, SweepError> {
    let dimension = Dimension::between(&range.from.0, &range.to.0, scale)
        .map_err(|error| SweepError::at(key, error.to_string()))?;
    match (&range.step, range.count, scale) {
        (Some(step), None, Scale::Linear) => step_values(&dimension, step, key),
        (None, Some(count), _) if count > 0 => within(count, key).map(|()| dimension.grid(count)),
        (.., Scale::Linear) => Err(SweepError::at(key, "expected either `step` or a `count` above 0")),
        (.., Scale::Log) => Err(SweepError::at(key, "expected a `count` above 0 (a logarithmic range has no `step`)")),
    }
}

fn step_values(dimension: &Dimension, step: &Scalar, key: &str) -> Result<Vec<Value>, SweepError> {
    let key = format!("{key}.step");
    match dimension.in_unit(&step.0) {
        Ok(step) if step > 0.0 => within(dimension.steps_count(step), &key).map(|()| dimension.steps(step)),
        Ok(_) => Err(SweepError::at(key, format!("found `{}`, expected a step above 0", step.0))),
        Err(error) => Err(SweepError::at(key, error.to_string())),
    }
}

fn zipped(axes: &[AxisFile], key: &str, seed: u64) -> Result<Vec<Vec<Setting>>, SweepError> {
    let columns = axes
        .iter()
        .enumerate()
        .map(|(index, axis)| rows(axis, &format!("{key}.zip[{index}]"), seed))
        .collect::<Result<Vec<_>, _>>()?;
    let length = columns.first().map_or(0, Vec::len);
    if length == 0 {
        return Err(SweepError::at(format!("{key}.zip"), "no axes"));
    }
    if columns.iter().any(|column| column.len() != length) {
        let lengths = columns.iter().map(|column| column.len().to_string()).collect::<Vec<_>>().join(", ");
        return Err(SweepError::at(
            format!("{key}.zip"),
            format!("the axes must be equally long, found {lengths} values"),
        ));
    }
    Ok((0..length).map(|row| columns.iter().flat_map(|column| column[row].clone()).collect()).collect())
}

fn sampled(sample: &SampleFile, key: &str, seed: u64) -> Result<Vec<Vec<Setting>>, SweepError> {
    let key = format!("{key}.sample");
    if sample.points == 0 || sample.over.is_empty() {
        return Err(SweepError::at(key, "expected `points` above 0 and at least one parameter in `over`"));
    }
    within(sample.points, &key)?;
    let settings = sample.points.saturating_mul(sample.over.len());
    if settings > SETTINGS_MAX {
        let problem = format!(
            "{} points of {} parameters are {settings} settings; {SETTINGS_MAX} at most",
            sample.points,
            sample.over.len()
        );
        return Err(SweepError::at(key, problem));
    }
    let dimensions = sample
        .over
        .iter()
        .enumerate()
        .map(|(index, axis)| sample_axis(axis, &format!("{key}.over[{index}]")))
        .collect::<Result<Vec<_>, _>>()?;
    let cube = Sample { points: sample.points, dimensions: dimensions.len(), seed };
    let rows = match sample.method {
        MethodFile::LatinHypercube => cube.latin_hypercube(),
        MethodFile::Sobol if cube.dimensions <= SOBOL_DIMENSIONS_MAX => cube.sobol(),
        MethodFile::Sobol => {
            let problem =
                format!("{} parameters, {SOBOL_DIMENSIONS_MAX} at most; `latinHypercube` takes more", dimensions.len());
            return Err(SweepError::at(key, problem));
        }
    };
    let setting = |(position, (parameter, dimension)): (&f64, &(Parameter, Dimension))| Setting {
        parameter: parameter.clone(),
        value: dimension.at(*position),
    };
    Ok(rows.iter().map(|row| row.iter().zip(&dimensions).map(setting).collect()).collect())
}

fn sample_axis(axis: &SampleAxisFile, key: &str) -> Result<(Parameter, Dimension), SweepError> {
    let parameter = parameter(axis.name.as_deref(), &axis.path, key)?;
    let dimension = match (&axis.from, &axis.to, &axis.values) {
        (Some(from), Some(to), None) => {
            let scale = if axis.log { Scale::Log } else { Scale::Linear };
            Dimension::between(&from.0, &to.0, scale).map_err(|error| SweepError::at(key, error.to_string()))?
        }
        (None, None, Some(values)) if !values.is_empty() => {
            Dimension::Choice(values.iter().map(|value| value.0.clone()).collect())
        }
        _ => return Err(SweepError::at(key, "expected `from` and `to`, or `values`")),
    };
    Ok((parameter, dimension))
}
