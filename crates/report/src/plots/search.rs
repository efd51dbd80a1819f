//! Everything a search tried: what it was to make small against what had to hold.

use record::Interval;

use super::chart::stairs;
use super::frame::{Entry, HEIGHT, LEFT_OF_SHARES, MARGIN_RIGHT, Panel, Swatch, WIDTH, legend_rows, page};
use super::palette;
use super::scale::{Scale, extent};
use crate::drawing::{Color, Drawing, Stroke, at};
use crate::rounding::{dollars, percent, three_digits, tick};

/// What the numbers of an axis are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AxisUnit {
    /// Dollars.
    Dollars,
    /// A share, 0..=1.
    Share,
    /// Anything else, named by the title.
    Plain,
}

impl AxisUnit {
    /// A number for a person.
    pub(crate) fn figure(self, value: f64) -> String {
        match self {
            Self::Dollars => dollars(value),
            Self::Share => percent(value),
            Self::Plain => three_digits(value),
        }
    }
}

/// An axis of a search's plot.
#[derive(Clone, Copy, Debug)]
pub struct SearchAxis<'a> {
    /// Title, with the unit where numbers do not carry it.
    pub title: &'a str,
    /// Unit.
    pub unit: AxisUnit,
}

/// What the data say of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// All conditions hold for certain.
    Holds,
    /// The estimates meet them.
    Met,
    /// They do not.
    Missed,
}

impl Standing {
    /// How an estimated share stands to the least it should be.
    pub fn of_share(share: Interval, least: f64) -> Self {
        if share.mean < least {
            Self::Missed
        } else if share.low >= least {
            Self::Holds
        } else {
            Self::Met
        }
    }

    /// The stamp of the page: a word of its style sheet.
    pub(crate) const fn stamp(self) -> &'static str {
        match self {
            Self::Holds => "meets",
            Self::Met => "undecided",
            Self::Missed => "misses",
        }
    }

    /// In words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Holds => "for certain",
            Self::Met => "by the estimate",
            Self::Missed => "missed",
        }
    }
}

/// One candidate.
#[derive(Clone, Copy, Debug)]
pub struct SearchPoint<'a> {
    /// A value per parameter, as written.
    pub settings: &'a [String],
    /// What is to be small.
    pub objective: Interval,
    /// What the first condition is about.
    pub measure: Interval,
    /// What the data say of it.
    pub standing: Standing,
    /// Whether no other candidate beats it in both.
    pub is_front: bool,
}

/// Everything the plot of a search is made of.
#[derive(Clone, Copy, Debug)]
pub struct SearchReport<'a> {
    /// What was searched, for the title.
    pub name: &'a str,
    /// The column to make small.
    pub objective: SearchAxis<'a>,
    /// The first condition's column.
    pub measure: SearchAxis<'a>,
    /// What the first condition is held against, and how it is written.
    pub limit: (f64, &'a str),
    /// Names of the parameters.
    pub parameters: &'a [String],
    /// Everything tried, best first.
    pub points: &'a [SearchPoint<'a>],
    /// The winner with fresh seeds.
    pub confirmed: Option<SearchPoint<'a>>,
    /// What was found, in sentences.
    pub findings: &'a [String],
    /// The command that runs the winner, or what to try next.
    pub command: Option<&'a str>,
}

impl SearchReport<'_> {
    /// Settings of a point, and what they gave, for a person.
    pub(crate) fn describe(&self, point: &SearchPoint<'_>) -> String {
        let settings = self.parameters.iter().zip(point.settings).map(|(name, value)| format!("{name} {value}"));
        let settings: Vec<String> = settings.collect();
        format!(
            "{}: {} {}, {} {} ({})",
            settings.join(", "),
            self.objective.title,
            self.objective.unit.figure(point.objective.mean),
            self.measure.title,
            self.measure.unit.figure(point.measure.mean),
            point.standing.words()
        )
    }
}

/// All candidates with the intervals of those on the front, the front as a line, and the winner where fresh seeds put it.
pub fn search_front(report: &SearchReport<'_>) -> Drawing {
    let subtitle = format!("{} settings tried; 95 % intervals on the front", report.points.len());
    let mut drawing = page(&format!("{}: what nothing beats", report.name), &subtitle);
    let shown: Vec<&SearchPoint<'_>> = report.points.iter().filter(|point| is_finite(point)).collect();
    let panel = Panel {
        left: LEFT_OF_SHARES,
        right: f64::from(WIDTH) - MARGIN_RIGHT,
        top: 140.0,
        bottom: f64::from(HEIGHT) - 84.0,
        x: scale(shown.iter().map(|point| point.objective.mean), report.objective.unit),
        y: scale(shown.iter().map(|point| point.measure.mean).chain([report.limit.0]), report.measure.unit),
    };
    axes(&mut drawing, &panel, report);
    panel.level(&mut drawing, report.limit.0, report.limit.1, Color::Ink);
    let mut front: Vec<&SearchPoint<'_>> = shown.iter().copied().filter(|point| point.is_front).collect();
    front.sort_by(|a, b| a.objective.mean.total_cmp(&b.objective.mean));
    let front_values = front.iter().map(|point| (point.objective.mean, point.measure.mean));
    panel.line(&mut drawing, stairs(front_values), Stroke::dashed(Color::Muted, 2.0));
    for point in &front {
        bars(&mut drawing, &panel, point, color(point.standing));
    }
    for point in &shown {
        drawing.tip(report.describe(point));
        let center = (point.objective.mean, point.measure.mean);
        panel.dot(&mut drawing, center, if point.is_front { 7.0 } else { 4.5 }, color(point.standing));
        drawing.group_end();
    }
    if let Some(winner) = report.confirmed.filter(is_finite) {
        bars(&mut drawing, &panel, &winner, Color::Ink);
        let center = (winner.objective.mean, winner.measure.mean);
        drawing.tip(format!("with fresh seeds, {}", report.describe(&winner)));
        panel.dot(&mut drawing, center, 10.0, Color::Ink);
        panel.dot(&mut drawing, center, 6.0, palette::MEETS);
        drawing.group_end();
    }
    drawing
}

fn is_finite(point: &SearchPoint<'_>) -> bool {
    point.objective.mean.is_finite() && point.measure.mean.is_finite()
}

/// Met, and not for certain.
const MET: Color = Color::Fixed(0x8f, 0xd4, 0xbf);

/// Holds, met, missed.
fn color(standing: Standing) -> Color {
    match standing {
        Standing::Holds => palette::MEETS,
        Standing::Met => MET,
        Standing::Missed => Color::Fixed(0x99, 0x9f, 0xa6),
    }
}

fn axes(drawing: &mut Drawing, panel: &Panel, report: &SearchReport<'_>) {
    let mut entries = vec![
        Entry::new(Swatch::Box(color(Standing::Holds)), "conditions hold for certain"),
        Entry::new(Swatch::Box(color(Standing::Met)), "met by the estimate"),
        Entry::new(Swatch::Box(color(Standing::Missed)), "missed"),
    ];
    if report.confirmed.is_some() {
        entries.push(Entry::new(Swatch::Box(Color::Ink), "the winner with fresh seeds"));
    }
    legend_rows(drawing, &entries, at(panel.left, 112.0), panel.right);
    let label = |unit: AxisUnit, scale: Scale| {
        move |value: f64, text: String| match unit {
            AxisUnit::Dollars => format!("${text}"),
            AxisUnit::Share if !matches!(scale, Scale::Nines { .. }) => format!("{} %", tick(value * 100.0)),
            _ => text,
        }
    };
    let across = label(report.objective.unit, panel.x);
    let ticks: Vec<(f64, String)> =
        panel.x.ticks(8).into_iter().map(|(value, text)| (value, across(value, text))).collect();
    panel.x_axis(drawing, &ticks, true);
    panel.y_axis(drawing, 7, label(report.measure.unit, panel.y));
    panel.x_title(drawing, report.objective.title);
    panel.y_title(drawing, 34.0, report.measure.title);
}

/// Shares by their misses once these are orders of magnitude apart; everything else linear, from zero if that is near.
fn scale(values: impl Iterator<Item = f64> + Clone, unit: AxisUnit) -> Scale {
    let (low, high) = extent(values.clone()).unwrap_or((0.0, 1.0));
    let pad = ((high - low) * 0.06).max(high.abs() * 0.01).max(1e-6);
    if unit == AxisUnit::Share {
        let misses = extent(values.map(|share| 1.0 - share).filter(|&miss| miss > 0.0));
        return match misses {
            Some((fewest, most)) if most / fewest > 30.0 && fewest >= 1e-7 => {
                Scale::Nines { miss_high: (most * 1.6).min(1.0), miss_low: fewest / 2.5 }
            }
            _ => Scale::Linear { low: (low - pad).max(0.0), high: (high + pad).min(1.0 + pad * 0.4) },
        };
    }
    let is_near_zero = low >= 0.0 && low - pad < high * 0.25;
    Scale::Linear { low: if is_near_zero { 0.0 } else { low - pad }, high: high + pad }
}

fn bars(drawing: &mut Drawing, panel: &Panel, point: &SearchPoint<'_>, color: Color) {
    let is_known = |interval: Interval| interval.low.is_finite() && interval.high.is_finite();
    let stroke = Stroke::solid(color, 1.8);
    let (objective, measure) = (point.objective, point.measure);
    if is_known(objective) {
        panel.line(drawing, vec![(objective.low, measure.mean), (objective.high, measure.mean)], stroke);
    }
    if is_known(measure) {
        panel.line(drawing, vec![(objective.mean, measure.low), (objective.mean, measure.high)], stroke);
    }
}
