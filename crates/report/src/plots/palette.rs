//! Colors, one meaning each in all plots, and those of the page the same. People with deuteranopia tell apart those that meet in a plot (a test
//! simulates it), and what they mark has a second cue: policies a marker, replicas on their way up or down a hatch, phases their order.

use crate::drawing::{Color, Hatch};

/// The SLO and what breaks it.
pub(super) const ALARM: Color = Color::Fixed(0xc0, 0x4a, 0x00);
/// Where the objective is met.
pub(super) const MEETS: Color = Color::Fixed(0x00, 0x9e, 0x73);
/// Requests that arrive.
pub(super) const TRAFFIC: Color = Color::Fixed(0xaa, 0xb4, 0xbe);
/// Times with requests and without answers.
pub(super) const SILENT: Color = Color::Fixed(0xf0, 0xc4, 0xa8);

const READY: Color = Color::Fixed(0x00, 0x72, 0xb2);
const IDLE: Color = Color::Fixed(0x8c, 0xc8, 0xec);
const STARTING: Color = Color::Fixed(0xe6, 0x9f, 0x00);
const STANDBY: Color = Color::Fixed(0x00, 0x8a, 0x64);
const DRAINING: Color = Color::Fixed(0x88, 0x22, 0x55);
/// What no pod, or no service, has to itself.
pub(super) const NOBODY: Color = Color::Fixed(0xd9, 0xdd, 0xe1);

/// Ready, starting, standby, draining.
pub(super) const STATES: [Color; 4] = [READY, STARTING, STANDBY, DRAINING];
/// Serving, idle, cold start, standby, draining, unallocated: the same meanings as [`STATES`] where they meet.
pub(super) const USES: [Color; 6] = [READY, IDLE, STARTING, STANDBY, DRAINING, NOBODY];
/// On demand, spot, reserved, serverless.
pub(super) const PURCHASES: [Color; 4] = [
    Color::Fixed(0x5c, 0x66, 0x70),
    Color::Fixed(0xf0, 0xe4, 0x42),
    Color::Fixed(0x44, 0xaa, 0x99),
    Color::Fixed(0x2b, 0x2f, 0x6b),
];
/// Parts of a cold start, in shades of it from the first to the last: pending, image pull, model download, GPU load, CUDA warm-up, readiness, waiting
/// for a group.
pub(super) const PHASES: [Color; 7] = [
    Color::Fixed(0xfd, 0xe8, 0xbf),
    Color::Fixed(0xf9, 0xcf, 0x7e),
    Color::Fixed(0xe9, 0xa8, 0x2a),
    Color::Fixed(0xc9, 0x82, 0x0a),
    Color::Fixed(0xa3, 0x67, 0x0a),
    Color::Fixed(0x7a, 0x4c, 0x0c),
    Color::Fixed(0x50, 0x33, 0x0e),
];

const POLICIES: [Color; 6] = [
    Color::Fixed(0x21, 0x8b, 0xa6),
    Color::Fixed(0xf2, 0x55, 0x94),
    Color::Fixed(0x91, 0x00, 0xf2),
    Color::Fixed(0xa6, 0x5a, 0x3a),
    Color::Fixed(0x9d, 0x79, 0xf2),
    Color::Ink,
];

/// How many policies have a color and a [marker](super::marker) of their own.
pub(super) const POLICY_COLORS: usize = POLICIES.len();

/// The color of the policy at `index`. From the seventh on they repeat with another dash.
pub(super) const fn policy(index: usize) -> Color {
    POLICIES[index % POLICIES.len()]
}

/// The dash of the policy at `index`.
pub(super) const fn policy_dash(index: usize) -> Option<[f64; 2]> {
    match index / POLICIES.len() {
        0 => None,
        1 => Some([9.0, 4.0]),
        _ => Some([3.0, 3.0]),
    }
}

/// The second cue of what is on its way up or down.
pub(super) fn hatch(color: Color) -> Option<Hatch> {
    match color {
        STARTING => Some(Hatch::Rising),
        DRAINING => Some(Hatch::Falling),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(color: Color) -> [f64; 3] {
        color.rgb().map(|channel| {
            let share = f64::from(channel) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// As deuteranopes see it (Machado, Oliveira and Fernandes 2009, severity 1), in CIE L*a*b*.
    fn seen(color: Color) -> [f64; 3] {
        let [r, g, b] = linear(color);
        let row = |x: f64, y: f64, z: f64| (x * r + y * g + z * b).clamp(0.0, 1.0);
        let (r, g, b) = (
            row(0.367_322, 0.860_646, -0.227_968),
            row(0.280_085, 0.672_501, 0.047_413),
            row(-0.011_820, 0.042_940, 0.968_881),
        );
        let f = |t: f64| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 };
        let x = f((0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.950_47);
        let y = f(0.2126 * r + 0.7152 * g + 0.0722 * b);
        let z = f((0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.088_83);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    fn nearest(colors: &[Color]) -> f64 {
        let apart = |a: &Color, b: &Color| {
            let (a, b) = (seen(*a), seen(*b));
            a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        let pairs = colors.iter().enumerate().flat_map(|(index, a)| colors[..index].iter().map(move |b| apart(a, b)));
        pairs.fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn deuteranopes_tell_apart_what_meets_in_a_plot() {
        assert!(nearest(&POLICIES) > 25.0, "policies: {}", nearest(&POLICIES));
        assert!(nearest(&USES) > 15.0, "uses: {}", nearest(&USES));
        assert!(nearest(&PURCHASES) > 15.0, "purchases: {}", nearest(&PURCHASES));
        assert!(nearest(&PHASES) > 10.0, "phases: {}", nearest(&PHASES));
        let traffic = [TRAFFIC, ALARM, SILENT];
        assert!(nearest(&traffic) > 15.0, "traffic: {}", nearest(&traffic));
    }

    #[test]
    fn no_color_means_two_things() {
        let parts: [&[Color]; 6] = [&POLICIES, &USES, &PURCHASES, &PHASES, &[ALARM, MEETS], &[TRAFFIC, SILENT]];
        let all: Vec<Color> = parts.concat();
        for (index, color) in all.iter().enumerate() {
            assert!(!all[..index].contains(color), "{color:?} is used twice");
        }
    }
}
