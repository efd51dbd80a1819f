//! Sweeps: a scenario at many points of a space, each finished run on disk before the next is counted.
//!
//! [`Sweep::parse`] turns a document into a list of points, the same list every time; [`run`] works through it, skipping what the
//! journal already has; [`read`] gives tidy rows, one per point, policy and replication, in that order whatever the order of work.

mod axis;
mod error;
mod expression;
mod file;
mod journal;
mod merge;
mod run;
mod table;

pub use error::SweepError;
pub use expression::{Expression, ExpressionError};
pub use file::{AxisFile, MethodFile, OneOrMany, RangeFile, SampleAxisFile, SampleFile, Scalar, SweepFile};
pub use journal::{JOURNAL_NAME, SweepRow};
pub use merge::{Merged, PointEstimate, SweepResults, merge, read};
pub(crate) use run::Slot;
pub use run::{Estimate, Scenarios, Shard, Simulated, SweepOptions, SweepOutcome, estimate, run};
pub use table::{Cells, TableColumn};

use crate::design::{Parameter, Setting};

/// One point: every parameter set.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Its number among the points that no constraint skips, from 0.
    pub index: usize,
    /// The settings, in the order of the axes.
    pub settings: Vec<Setting>,
}

impl Point {
    /// As `--set` takes them.
    pub fn to_overrides(&self) -> Vec<String> {
        self.settings.iter().map(Setting::to_override).collect()
    }
}

/// A sweep with all its points.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Name, for results.
    pub name: String,
    /// Files and folders of the scenario, relative to the sweep's file.
    pub scenario: Vec<String>,
    /// Policies to run; `None` is all of the scenario's.
    pub policies: Option<Vec<String>>,
    /// Replications of each policy at each point.
    pub replications: u32,
    /// Base seed, the same at every point: points are compared on the same requests.
    pub seed: u64,
    /// What varies, in the order of columns.
    pub parameters: Vec<Parameter>,
    /// The points.
    pub points: Vec<Point>,
    /// How many points constraints skipped.
    pub skipped: usize,
}

impl Sweep {
    /// Reads a sweep from YAML text and expands its points.
    pub fn parse(text: &str) -> Result<Self, SweepError> {
        let file: SweepFile = serde_saphyr::from_str(text).map_err(|error| SweepError::Syntax(error.to_string()))?;
        Self::resolve(&file)
    }

    /// Expands the points of a sweep.
    pub fn resolve(file: &SweepFile) -> Result<Self, SweepError> {
        error::expect_word("apiVersion", &file.api_version, "scalelab.dev/v1")?;
        error::expect_word("kind", &file.kind, "Sweep")?;
        if file.replications == 0 {
            return Err(SweepError::at("replications", "0 replications; at least 1 is needed"));
        }
        let (parameters, all) = axis::expand(&file.axes, file.seed)?;
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter.name.as_str()).collect();
        let constraints = file
            .constraints
            .iter()
            .enumerate()
            .map(|(index, text)| {
                Expression::parse(text, &names)
                    .map_err(|error| SweepError::at(format!("constraints[{index}]"), error.to_string()))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let total = all.len();
        let points: Vec<Point> = all
            .into_iter()
            .filter(|settings| constraints.iter().all(|constraint| constraint.holds(settings)))
            .enumerate()
            .map(|(index, settings)| Point { index, settings })
            .collect();
        if points.is_empty() {
            return Err(SweepError::at("constraints", format!("all {total} points are skipped")));
        }
        Ok(Self {
            name: file.name.clone(),
            scenario: match &file.scenario {
                OneOrMany::One(path) => vec![path.clone()],
                OneOrMany::Many(paths) => paths.clone(),
            },
            policies: file.policies.clone(),
            replications: file.replications,
            seed: file.seed,
            skipped: total - points.len(),
            parameters,
            points,
        })
    }

    /// A number that differs for sweeps that are not the same work: points, replications and seed (FNV-1a over their text).
    pub fn fingerprint(&self, policies: &[String]) -> u64 {
        let fold = |hash: u64, text: &str| {
            text.bytes().chain([0xff]).fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
        };
        let head = format!("{} {} {}", self.replications, self.seed, policies.join("\u{0}"));
        self.points
            .iter()
            .flat_map(Point::to_overrides)
            .fold(fold(0xcbf2_9ce4_8422_2325, &head), |hash, text| fold(hash, &text))
    }
}
