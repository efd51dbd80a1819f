//! From a folder to a case: the scenario in it and what was measured of the real run.

use std::num::NonZeroU32;
use std::path::Path;

use lab::columns::Unit;
use lab::validate::{Case, Claim, POINTS_MAX, Quantity, Unknown, Window, Within};
use scenario::file::{Figure, QuantityFile, WindowFile, WithinFile};
use scenario::{Amount as _, Loaded, Measured, ScenarioError, Time};
use units::SimTime;

use crate::failure::{Failure, OrInput, Result};
use crate::inputs;
use crate::tuning::Tuned;

type Checked<T> = std::result::Result<T, ScenarioError>;

/// A scenario that can be made with other settings, and what it is held against.
pub struct Prepared {
    /// The scenario.
    pub tuned: Tuned,
    /// What was measured.
    pub case: Case,
}

/// What is said besides the folder.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Manifests as they are, without the patches of the kustomization beside them.
    pub is_plain: bool,
    /// Assignments as `--set` takes them.
    pub set: Vec<String>,
    /// Runs with different seeds, if not as many as the Measured document says.
    pub replications: Option<NonZeroU32>,
    /// Seed, if not the scenario's.
    pub seed: Option<u64>,
}

/// Reads the scenario at `path` and the Measured document beside it.
pub fn prepare(path: &Path, options: &Options) -> Result<Prepared> {
    let documents = crate::programs::read(&[inputs::input(path)?], options.is_plain).or_input()?;
    let Some(measured) = documents.measured().or_input()? else {
        return Err(Failure::input(format!(
            "{}: there is no document of `kind: Measured` to hold the scenario against; `docs/guide/validate.md` shows one",
            path.display()
        )));
    };
    let tuned = Tuned::new(documents, inputs::overrides(&options.set)?)?;
    let case = case(&measured, &tuned.loaded, options).or_input()?;
    Ok(Prepared { tuned, case })
}

fn case(measured: &Measured, loaded: &Loaded, options: &Options) -> Checked<Case> {
    let spec = &measured.file.spec;
    let service = service(measured, loaded)?;
    let windows = windows(measured, loaded)?;
    let claims = spec.quantities.iter().enumerate();
    let claims = claims
        .map(|(index, file)| Reader { measured, path: format!("spec.quantities[{index}]"), file }.claim(&windows));
    Ok(Case {
        name: measured.file.metadata.name.clone(),
        description: measured.file.metadata.description.clone(),
        source: spec.source.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        policy: policy(measured, loaded)?,
        service,
        slo: loaded.spec.services[service].slo,
        claims: claims.collect::<Checked<_>>()?,
        windows,
        unknown: unknown(measured)?,
        replications: options.replications.map_or(spec.replications, NonZeroU32::get),
        seed: options.seed.unwrap_or(loaded.seed),
    })
}

/// The policy named, or the only one.
fn policy(measured: &Measured, loaded: &Loaded) -> Checked<String> {
    let names: Vec<&str> = loaded.spec.policies.iter().map(|policy| policy.name.as_str()).collect();
    match (&measured.file.spec.policy, &names[..]) {
        (Some(name), _) if names.contains(&name.as_str()) => Ok(name.clone()),
        (Some(name), _) => Err(measured.unknown("spec.policy", "policy", name, names)),
        (None, [only]) => Ok((*only).to_owned()),
        (None, _) => {
            let reason =
                format!("the scenario has several policies; say which with `policy` (one of: {})", names.join(", "));
            Err(measured.wrong("spec", reason))
        }
    }
}

/// The number of the service named, or of the only one.
fn service(measured: &Measured, loaded: &Loaded) -> Checked<usize> {
    let names: Vec<&str> = loaded.spec.services.iter().map(|service| service.name.as_str()).collect();
    match &measured.file.spec.service {
        Some(name) => names
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| measured.unknown("spec.service", "service", name, names)),
        None if names.len() == 1 => Ok(0),
        None => {
            let reason =
                format!("the scenario has several services; say which with `service` (one of: {})", names.join(", "));
            Err(measured.wrong("spec", reason))
        }
    }
}

fn windows(measured: &Measured, loaded: &Loaded) -> Checked<Vec<Window>> {
    let (start, end) = (SimTime::ZERO + loaded.spec.warm_up, loaded.spec.end);
    let window = |(name, file): (&String, &WindowFile)| {
        let path = format!("spec.windows.{name}");
        let from = file.from.map_or(start, |from| SimTime::ZERO + from.duration());
        let to = file.to.map_or(end, |to| SimTime::ZERO + to.duration());
        if from < start {
            let reason =
                format!("begins {from} after the start, within the warm-up, which is measured from {start} on");
            return Err(measured.wrong(&path, reason));
        }
        if to > end {
            return Err(
                measured.wrong(&path, format!("ends {to} after the start, the run (`run.duration`) after {end}"))
            );
        }
        if from >= to {
            return Err(measured.wrong(&path, format!("begins at {from} and ends at {to}: there is nothing in it")));
        }
        Ok(Window { name: name.clone(), from, to })
    };
    measured.file.spec.windows.iter().map(window).collect()
}

fn unknown(measured: &Measured) -> Checked<Vec<Unknown>> {
    let mut unknown = Vec::new();
    let mut points = 1_usize;
    for (index, file) in measured.file.spec.unknown.iter().enumerate() {
        let path = format!("spec.unknown[{index}]");
        if file.values.is_empty() {
            return Err(measured.wrong(&format!("{path}.values"), "no values; say what it may be"));
        }
        points = points.saturating_mul(file.values.len());
        if points > POINTS_MAX {
            let reason = format!("with all combinations of what is not known {points} points, {POINTS_MAX} at most");
            return Err(measured.wrong(&path, reason));
        }
        let values = file.values.iter().map(|value| value.0.clone()).collect();
        unknown.push(Unknown { key: file.key.clone(), values, note: file.note.clone() });
    }
    Ok(unknown)
}

/// One quantity being read.
struct Reader<'a> {
    measured: &'a Measured,
    path: String,
    file: &'a QuantityFile,
}

impl Reader<'_> {
    fn claim(&self, windows: &[Window]) -> Checked<Claim> {
        let quantity = self.quantity()?;
        let window = self.window(&quantity, windows)?;
        let unit = quantity.unit();
        let measured = self.file.measured.as_ref().map(|figure| self.figure("measured", figure, unit)).transpose()?;
        let within = self.file.within.as_ref().map(|within| self.within(within, &quantity)).transpose()?;
        let needs_measured =
            matches!(within, Some(Within::Relative(_) | Within::Absolute(_) | Within::Factor(_) | Within::Exact));
        if measured.is_none() && needs_measured {
            return Err(self.wrong("within", "this is a distance from `measured`, which is missing"));
        }
        if self.file.seeds.is_some() && within.is_none() {
            return Err(self.wrong("seeds", "belongs to a quantity with `within`"));
        }
        let seeds = self.file.seeds.map(|share| share.0);
        if seeds.is_some_and(|share| share > 1.0) {
            return Err(self.wrong("seeds", "a share of the seeds is at most 100%"));
        }
        Ok(Claim { quantity, window, measured, within, seeds, note: self.file.note.clone() })
    }

    fn quantity(&self) -> Checked<Quantity> {
        let name = self.file.quantity.as_str();
        let is_about_replicas = Quantity::is_about_replicas(name);
        if is_about_replicas && self.file.replicas.is_none() {
            return Err(self.wrong("quantity", format!("`{name}` needs `replicas`: how many")));
        }
        if !is_about_replicas && self.file.replicas.is_some() {
            return Err(self.wrong("replicas", format!("`{name}` is not about a number of replicas")));
        }
        let path = format!("{}.quantity", self.path);
        Quantity::named(name, self.file.replicas)
            .ok_or_else(|| self.measured.unknown(&path, "quantity", name, Quantity::names()))
    }

    fn window(&self, quantity: &Quantity, windows: &[Window]) -> Checked<Option<usize>> {
        let Some(name) = &self.file.window else { return Ok(None) };
        let names = windows.iter().map(|window| window.name.as_str());
        let path = format!("{}.window", self.path);
        let window = windows.iter().position(|window| window.name == *name);
        let window = window.ok_or_else(|| self.measured.unknown(&path, "window", name, names))?;
        if quantity.is_of_windows() {
            return Ok(Some(window));
        }
        let names: Vec<&str> = Quantity::names_of_windows().collect();
        let reason = format!("`{}` is of the whole run; a window has: {}", quantity.title(), names.join(", "));
        Err(self.wrong("window", reason))
    }

    fn within(&self, file: &WithinFile, quantity: &Quantity) -> Checked<Within> {
        let figure = |figure: &Figure| self.figure("within", figure, quantity.unit());
        Ok(match file {
            WithinFile::Relative(share) => Within::Relative(share.0),
            WithinFile::Absolute(distance) => Within::Absolute(figure(distance)?),
            WithinFile::Factor(factor) if *factor >= 1.0 && factor.is_finite() => Within::Factor(*factor),
            WithinFile::Factor(factor) => {
                return Err(self.wrong("within", format!("a factor of {factor}; it is 1 or more")));
            }
            WithinFile::Range(bounds) => {
                let [low, high] = &bounds[..] else {
                    let reason = format!("a range of {} figures; it has two, its least and its largest", bounds.len());
                    return Err(self.wrong("within", reason));
                };
                let (low, high) = (figure(low)?, figure(high)?);
                if low > high {
                    return Err(self.wrong("within", "the range ends before it begins"));
                }
                Within::Range(low, high)
            }
            WithinFile::AtLeast(least) => Within::AtLeast(figure(least)?),
            WithinFile::AtMost(most) => Within::AtMost(figure(most)?),
            WithinFile::Exact => Within::Exact,
            WithinFile::Holds(share) if matches!(quantity, Quantity::Held(_)) => Within::Holds(share.0),
            WithinFile::Holds(_) => {
                return Err(self.wrong("within", "`holds` belongs to `replicas_held`"));
            }
        })
    }

    /// A figure in the unit of its quantity.
    fn figure(&self, key: &str, Figure(text): &Figure, unit: Unit) -> Checked<f64> {
        let plain = || text.parse::<f64>().ok().filter(|value| value.is_finite());
        let seconds = || Time::parse(text).map(|time| time.0);
        let percent = || text.strip_suffix('%').and_then(|share| share.trim().parse::<f64>().ok());
        let (value, expected) = match unit {
            Unit::Milliseconds => (
                plain().or_else(|| seconds().map(|time| time * 1e3)),
                "a number of milliseconds or a time such as `2.66s`",
            ),
            Unit::Seconds => (plain().or_else(seconds), "a number of seconds or a time such as `180s`"),
            Unit::Share => {
                (plain().or_else(|| percent().map(|share| share / 100.0)), "a share such as `95.8%` or 0.958")
            }
            Unit::Dollars | Unit::Hours | Unit::Count => (plain(), "a number"),
        };
        value.ok_or_else(|| self.measured.unexpected(&format!("{}.{key}", self.path), text, expected))
    }

    fn wrong(&self, key: &str, reason: impl Into<String>) -> ScenarioError {
        self.measured.wrong(&format!("{}.{key}", self.path), reason)
    }
}
