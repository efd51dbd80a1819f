//! Where the time of a cold start goes, per policy.

use super::cost::{names_width, stacked, whisker};
use super::frame::{
    Entry, HEIGHT, LABEL_SIZE, MARGIN_RIGHT, Panel, Swatch, TICK_SIZE, WIDTH, legend_rows, page, shortened,
};
use super::palette;
use super::scale::{Scale, extent};
use crate::drawing::{Anchor, Color, Drawing, TextStyle, Weight, at};
use crate::rounding::cold_starts;
use crate::{PolicyOutcome, RunReport};

/// Phases of a cold start in order, as in `ReplicaLife`, with their words.
const PHASES: [(&str, &str); 7] = [
    ("pending", "pending (waiting for a node)"),
    ("image_pull", "image pull"),
    ("model_download", "model download"),
    ("gpu_load", "GPU load"),
    ("cuda_warm_up", "CUDA warm-up"),
    ("readiness", "readiness"),
    ("group", "waiting for the others of its group"),
];

/// Cold starts of one policy: seconds by phase, and seconds in total, sorted.
struct ColdStarts {
    phase_means: [f64; 7],
    totals: Vec<f64>,
}

/// Cold starts that got ready in the detailed replication: seconds by phase and in total, one row each.
pub(super) fn finished_cold_starts(policy: &PolicyOutcome<'_>) -> Vec<([f64; 7], f64)> {
    let lives = policy.detail.services.iter().flat_map(|service| &service.replicas);
    let started = lives.filter_map(|life| life.ready.map(|ready| (life, ready)));
    started
        .map(|(life, ready)| {
            let phases = PHASES.map(|(phase, _)| {
                let before_ready = life.phases.iter().filter(|span| span.phase == phase && span.end <= ready);
                before_ready.map(|span| span.end.since(span.start).as_secs_f64()).sum()
            });
            (phases, ready.since(life.created).as_secs_f64())
        })
        // Replicas that the run began with were ready at once.
        .filter(|(_, total)| *total > 0.0)
        .collect()
}

impl ColdStarts {
    fn of(policy: &PolicyOutcome<'_>) -> Self {
        let starts = finished_cold_starts(policy);
        let number = starts.len().max(1) as f64;
        let phase_means = std::array::from_fn(|phase| starts.iter().map(|start| start.0[phase]).sum::<f64>() / number);
        let mut totals: Vec<f64> = starts.into_iter().map(|start| start.1).collect();
        totals.sort_by(f64::total_cmp);
        Self { phase_means, totals }
    }

    /// Nearest-rank quantile of the totals.
    fn quantile(&self, q: f64) -> Option<f64> {
        let rank = ((self.totals.len() as f64 * q - 1e-9).ceil() as usize).max(1);
        self.totals.get(rank - 1).copied()
    }
}

/// One bar per policy: mean seconds in each phase from pod creation to ready, with a whisker up to the 95th percentile of the whole
/// cold start.
pub fn cold_start_phases(report: &RunReport<'_>) -> Drawing {
    let starts: Vec<ColdStarts> = report.policies.iter().map(ColdStarts::of).collect();
    let replication = report.policies.first().map_or(0, |policy| policy.detail.replication);
    let subtitle = format!(
        "{}: mean time by phase; whiskers reach to the 95th percentile of the whole cold start. Replication {replication}",
        report.title()
    );
    let mut drawing = page("Where the time of a cold start goes", &subtitle);
    let entries: Vec<Entry> = (0..PHASES.len())
        .filter(|&phase| starts.iter().any(|policy| policy.phase_means[phase] > 0.0))
        .map(|phase| Entry::new(Swatch::Box(palette::PHASES[phase]), PHASES[phase].1))
        .collect();
    let right = f64::from(WIDTH) - MARGIN_RIGHT;
    let below = legend_rows(&mut drawing, &entries, at(40.0, 112.0), right);
    let ends = starts.iter().flat_map(|policy| [policy.quantile(0.95).unwrap_or(0.0), policy.phase_means.iter().sum()]);
    let longest = extent(ends).map_or(1.0, |range| range.1).max(1.0);
    let panel = Panel {
        left: names_width(report) + 60.0,
        right: right - 210.0,
        top: below + 24.0,
        bottom: f64::from(HEIGHT) - 84.0,
        x: Scale::Linear { low: 0.0, high: longest },
        y: Scale::Linear { low: 0.0, high: report.policies.len() as f64 },
    };
    panel.x_axis(&mut drawing, &panel.x.ticks(8), true);
    panel.x_title(&mut drawing, "seconds from pod creation to ready");
    for (index, (policy, starts)) in report.policies.iter().zip(&starts).enumerate() {
        bar(&mut drawing, &panel, (index, policy), starts, report.policies.len());
    }
    drawing
}

fn bar(drawing: &mut Drawing, panel: &Panel, row: (usize, &PolicyOutcome<'_>), starts: &ColdStarts, rows: usize) {
    let (index, policy) = row;
    let slot = (panel.bottom - panel.top) / rows as f64;
    let height = (slot * 0.6).min(64.0);
    let middle = panel.top + slot * (index as f64 + 0.5);
    let (top, bottom) = (middle - height / 2.0, middle + height / 2.0);
    let so_far: f64 = starts.phase_means.iter().sum();
    stacked(drawing, panel, &starts.phase_means, (top, bottom), (&palette::PHASES, |mean| format!("{mean:.0} s")));
    let mut end = panel.place_x(so_far);
    if let Some(p95) = starts.quantile(0.95).filter(|&p95| p95 > so_far) {
        let ends = [end, panel.place_x(p95)];
        whisker(drawing, middle, ends);
        end = ends[1];
    }
    let name = shortened(policy.name(), LABEL_SIZE, Weight::Regular, panel.left - 56.0);
    drawing.text(at(panel.left - 14.0, middle + 6.0), &name, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::End));
    let (main, note) = match starts.quantile(0.95) {
        Some(p95) => {
            (format!("mean {so_far:.0} s"), format!("p95 {p95:.0} s, {}", cold_starts(starts.totals.len() as u64)))
        }
        None => ("no cold start".to_owned(), String::new()),
    };
    drawing.text(at(end + 12.0, middle), &main, TextStyle::new(LABEL_SIZE, Color::Ink, Anchor::Start).bold());
    drawing.text(at(end + 12.0, middle + 20.0), &note, TextStyle::new(TICK_SIZE - 1.0, Color::Muted, Anchor::Start));
}
