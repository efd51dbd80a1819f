//! Colors that people with any color vision can tell apart (Okabe and Ito's set), one meaning each.

use crate::drawing::Color;

const BLUE: Color = Color::Fixed(0x00, 0x72, 0xb2);
const ORANGE: Color = Color::Fixed(0xe6, 0x9f, 0x00);
const GREEN: Color = Color::Fixed(0x00, 0x9e, 0x73);
const VERMILION: Color = Color::Fixed(0xd5, 0x5e, 0x00);
const PURPLE: Color = Color::Fixed(0xcc, 0x79, 0xa7);
const SKY: Color = Color::Fixed(0x56, 0xb4, 0xe9);
const YELLOW: Color = Color::Fixed(0xf0, 0xe4, 0x42);
const GRAY: Color = Color::Fixed(0x99, 0x9f, 0xa6);

/// The SLO and what breaks it.
pub(super) const ALARM: Color = VERMILION;
/// Where the objective is met.
pub(super) const MEETS: Color = GREEN;
/// Arrivals, p50, money: the plain line of a panel.
pub(super) const MAIN: Color = BLUE;
/// Times with requests and without answers.
pub(super) const SILENT: Color = Color::Fixed(0xf0, 0xc4, 0xa8);
/// A fainter companion of [`MAIN`].
pub(super) const COMPANION: Color = SKY;

/// Ready, starting, standby, draining.
pub(super) const STATES: [Color; 4] = [BLUE, ORANGE, GREEN, PURPLE];
/// Serving, idle, cold start, standby, draining, unallocated: the same meanings as [`STATES`] where they meet.
pub(super) const USES: [Color; 6] = [BLUE, SKY, ORANGE, GREEN, PURPLE, GRAY];
/// What no service has to itself.
pub(super) const SHARED: Color = GRAY;
/// On demand, spot, reserved, serverless.
pub(super) const PURCHASES: [Color; 4] = [VERMILION, YELLOW, GRAY, PURPLE];
/// Pending, image pull, model download, GPU load, CUDA warm-up, readiness, waiting for a group.
pub(super) const PHASES: [Color; 7] = [GRAY, SKY, BLUE, GREEN, ORANGE, PURPLE, YELLOW];

/// The color of the policy at `index`. From the eighth on they repeat with another dash.
pub(super) const fn policy(index: usize) -> Color {
    [BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, Color::Ink][index % 7]
}

/// The dash of the policy at `index`.
pub(super) const fn policy_dash(index: usize) -> Option<[f64; 2]> {
    match index / 7 {
        0 => None,
        1 => Some([9.0, 4.0]),
        _ => Some([3.0, 3.0]),
    }
}
