//! The plots of a sweep: every point as cost against SLO attainment, curves over a parameter, heat maps over two, effects of more.
//!
//! It knows points as settings and two figures; where they come from and what else was measured there it does not.

mod curves;
mod effects;
mod heat_map;
mod scatter;

use std::collections::{BTreeMap, BTreeSet};

use record::Interval;

use super::frame::{Entry, Swatch};
use super::scale::{Scale, extent};
use super::search::Standing;
use crate::drawing::Drawing;
use crate::rounding::{dollars, percent};
use crate::shell_word;

/// A value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepValue {
    /// As written.
    pub text: String,
    /// As a number in base units; NaN for words.
    pub number: f64,
}

/// One policy at one point, over its replications.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepPoint {
    /// A value per parameter.
    pub settings: Vec<SweepValue>,
    /// Index of the policy.
    pub policy: usize,
    /// Cost of a run in dollars.
    pub cost_usd: Interval,
    /// SLO attainment.
    pub slo_attainment: Interval,
}

/// Everything the plots of a sweep are made of.
#[derive(Clone, Copy, Debug)]
pub struct SweepReport<'a> {
    /// Name of the sweep, for titles.
    pub name: &'a str,
    /// Names of the parameters.
    pub parameters: &'a [String],
    /// Names of the policies.
    pub policies: &'a [String],
    /// The points.
    pub points: &'a [SweepPoint],
    /// Replications behind each point.
    pub replications: usize,
    /// SLO objective, 0..=1. `None` where several services have their own: attainment is then of all requests, each by its own SLO.
    pub objective: Option<f64>,
    /// The beginning of the command that runs one point, up to its policy and settings.
    pub command: &'a str,
    /// Paths of the parameters, as `--set` takes them.
    pub paths: &'a [String],
}

impl SweepReport<'_> {
    /// How a point stands to the objective, if there is one and a request was judged.
    pub(crate) fn standing(&self, point: &SweepPoint) -> Option<Standing> {
        self.objective.filter(|_| is_judged(point)).map(|least| Standing::of_share(point.slo_attainment, least))
    }

    /// The cheapest point that meets the objective, rather by its interval than by its estimate alone.
    pub(crate) fn chosen(&self) -> Option<&SweepPoint> {
        let cheapest = |wanted: Standing| {
            let meets = self.points.iter().filter(|point| self.standing(point) == Some(wanted));
            meets.min_by(|a, b| a.cost_usd.mean.total_cmp(&b.cost_usd.mean))
        };
        cheapest(Standing::Holds).or_else(|| cheapest(Standing::Met))
    }

    /// Policy and settings of a point, for a person.
    pub(crate) fn settings(&self, point: &SweepPoint) -> String {
        let settings = self.parameters.iter().zip(&point.settings);
        let settings: Vec<String> = settings.map(|(name, value)| format!("{name} {}", value.text)).collect();
        format!("{} with {}", self.policies[point.policy], settings.join(", "))
    }

    /// The same and what they gave.
    pub(crate) fn describe(&self, point: &SweepPoint) -> String {
        let (cost, share) = (point.cost_usd.mean, point.slo_attainment.mean);
        format!("{}: {}, {} met the SLO", self.settings(point), dollars(cost), percent(share))
    }

    /// The command that runs a point alone.
    pub(crate) fn command_of(&self, point: &SweepPoint) -> String {
        let set = self.paths.iter().zip(&point.settings);
        let set: String =
            set.map(|(path, value)| format!(" --set {}", shell_word(&format!("{path}={}", value.text)))).collect();
        format!("{} --policy {}{set}", self.command, shell_word(&self.policies[point.policy]))
    }
}

/// The points that no other one beats in cost and attainment at once, cheapest first.
pub(crate) fn front<'a>(points: &[&'a SweepPoint]) -> Vec<&'a SweepPoint> {
    let mut by_cost: Vec<&SweepPoint> = points.iter().copied().filter(|point| is_judged(point)).collect();
    by_cost.sort_by(|a, b| {
        let by_share = b.slo_attainment.mean.total_cmp(&a.slo_attainment.mean);
        a.cost_usd.mean.total_cmp(&b.cost_usd.mean).then(by_share)
    });
    let mut best = f64::NEG_INFINITY;
    by_cost.retain(|point| {
        let is_better = point.slo_attainment.mean > best;
        best = best.max(point.slo_attainment.mean);
        is_better
    });
    by_cost
}

/// Most values of a second parameter that become lines of one plot.
const LINES_MAX: usize = 7;

/// Every plot the data allow as (path relative to the folder, bytes), SVG and PNG: the scatter, curves for one or two parameters, a heat map per
/// policy for two that are crossed, and the effect of each parameter where they are more or sampled. Then `report.html` with all of them.
pub fn sweep_files(report: &SweepReport<'_>) -> Vec<(String, Vec<u8>)> {
    let drawings = drawings(report);
    let mut files: Vec<(String, Vec<u8>)> = drawings
        .iter()
        .flat_map(|(name, drawing)| {
            [
                (format!("plots/{name}.svg"), drawing.to_svg().into_bytes()),
                (format!("plots/{name}.png"), drawing.to_png()),
            ]
        })
        .collect();
    files.push(("report.html".to_owned(), crate::html::sweep_page(report, &drawings).into_bytes()));
    files
}

/// The page of a sweep alone.
pub fn sweep_html(report: &SweepReport<'_>) -> Vec<u8> {
    crate::html::sweep_page(report, &drawings(report)).into_bytes()
}

fn drawings(report: &SweepReport<'_>) -> Vec<(String, Drawing)> {
    let judged = report.points.iter().filter(|point| is_judged(point)).count();
    if judged == 0 {
        return Vec::new();
    }
    let mut drawings = vec![("cost_vs_slo".to_owned(), scatter::scatter(report))];
    let axes: Vec<Axis> = (0..report.parameters.len()).map(|index| Axis::of(report, index)).collect();
    let varying: Vec<&Axis> = axes.iter().filter(|axis| axis.values.len() > 1).collect();
    // Cells that are mostly empty are no map: points were sampled or zipped.
    let is_crossed = |[first, second]: [&Axis; 2]| {
        let cells = first.values.len() * second.values.len() * report.policies.len();
        2 * judged >= cells
    };
    match varying.as_slice() {
        [only] => drawings.push(("curve".to_owned(), curves::by_policy(report, only))),
        [first, second] if is_crossed([first, second]) => {
            for policy in 0..report.policies.len() {
                let suffix = file_name(report, policy);
                drawings.push((format!("heat_map-{suffix}"), heat_map::heat_map(report, policy, [first, second])));
                let (along, lines) =
                    if first.values.len() >= second.values.len() { (first, second) } else { (second, first) };
                if lines.values.len() <= LINES_MAX {
                    drawings.push((format!("curve-{suffix}"), curves::of_policy(report, policy, [along, lines])));
                }
            }
        }
        several => {
            drawings
                .extend(several.iter().map(|axis| (format!("effect-{}", axis.name), effects::effect(report, axis))));
        }
    }
    drawings
}

/// A point without a request to judge has no place in a plot.
fn is_judged(point: &SweepPoint) -> bool {
    point.slo_attainment.mean.is_finite() && point.cost_usd.mean.is_finite()
}

fn file_name(report: &SweepReport<'_>, policy: usize) -> String {
    let kept =
        report.policies[policy].chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '-' });
    let name: String = kept.collect::<String>().to_ascii_lowercase();
    // Two names that differ only in what a file name cannot hold stay two files.
    let is_taken =
        report.policies.iter().filter(|other| other.eq_ignore_ascii_case(&report.policies[policy])).count() > 1;
    if is_taken || name.is_empty() { format!("{name}-{policy}") } else { name }
}

/// One parameter: its values in order, numbers by size and words as they came.
pub(super) struct Axis {
    index: usize,
    name: String,
    values: Vec<SweepValue>,
    is_numeric: bool,
}

impl Axis {
    fn of(report: &SweepReport<'_>, index: usize) -> Self {
        // In order of appearance. A sample has as many values as points: each is looked for in a set and not in a list.
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let all = report.points.iter().map(|point| &point.settings[index]);
        let mut values: Vec<SweepValue> = all.filter(|value| seen.insert(&value.text)).cloned().collect();
        let is_numeric = values.iter().all(|value| value.number.is_finite());
        if is_numeric {
            values.sort_by(|a, b| a.number.total_cmp(&b.number));
        }
        Self { index, name: report.parameters[index].clone(), values, is_numeric }
    }

    /// Place of a value: the number, or for words their place in the list.
    fn at(&self, value: &SweepValue) -> f64 {
        if self.is_numeric { value.number } else { self.place(value) as f64 }
    }

    fn place(&self, value: &SweepValue) -> usize {
        self.values.iter().position(|known| known.text == value.text).unwrap_or_default()
    }

    fn scale(&self) -> Scale {
        let (low, high) = extent(self.values.iter().map(|value| self.at(value))).unwrap_or((0.0, 1.0));
        let is_even_in_log = self.is_numeric && low > 0.0 && high / low >= 50.0;
        if is_even_in_log {
            return Scale::Log { low: low / 1.15, high: high * 1.15 };
        }
        let pad = ((high - low) * 0.04).max(1e-9);
        Scale::Linear { low: low - pad, high: high + pad }
    }

    /// The values themselves while they are few, round numbers otherwise.
    fn ticks(&self, scale: Scale) -> Vec<(f64, String)> {
        if self.values.len() <= 12 || !self.is_numeric {
            let stride = self.values.len().div_ceil(16);
            return self.values.iter().step_by(stride).map(|value| (self.at(value), value.text.clone())).collect();
        }
        scale.ticks(10)
    }
}

/// Points by a key, each group in order of the axis.
fn grouped<'a, K: Ord>(
    points: impl Iterator<Item = &'a SweepPoint>,
    axis: &Axis,
    key: impl Fn(&SweepPoint) -> K,
) -> BTreeMap<K, Vec<&'a SweepPoint>> {
    let mut groups: BTreeMap<K, Vec<&SweepPoint>> = BTreeMap::new();
    for point in points.filter(|point| is_judged(point)) {
        groups.entry(key(point)).or_default().push(point);
    }
    for group in groups.values_mut() {
        group.sort_by(|a, b| axis.at(&a.settings[axis.index]).total_cmp(&axis.at(&b.settings[axis.index])));
    }
    groups
}

/// The marker of each policy.
fn policy_entries(report: &SweepReport<'_>) -> Vec<Entry> {
    let policies = report.policies.iter().enumerate();
    policies.map(|(index, name)| Entry::new(Swatch::Marker(index), name)).collect()
}

/// `3 replications, 95 % intervals`.
pub(crate) fn replications(report: &SweepReport<'_>) -> String {
    match report.replications {
        0 | 1 => "1 replication a point, no intervals".to_owned(),
        many => format!("{many} replications a point, 95 % intervals"),
    }
}
