//! Where to look next: a tree-structured Parzen estimator over the unit cube.
//!
//! After Bergstra, Bardenet, Bengio and Kégl, "Algorithms for hyper-parameter optimization", NIPS 2011: the candidates are split into
//! good and other ones, each side's density is a mixture of bumps around them, dimension by dimension, and of draws from the good
//! density those with the largest ratio of good to other are proposed. A flat bump in both keeps every corner possible.

use workload::{Purpose, Stream};

/// Proposals, most promising first, from the positions tried so far, best first. The same for the same positions and seed.
pub(super) fn propose(ranked: &[Vec<f64>], count: usize, seed: u64) -> Vec<Vec<f64>> {
    let Some(first) = ranked.first() else { return Vec::new() };
    // As many as a share would be too many late: the good ones must close in on the best.
    let good = (libm::sqrt(ranked.len() as f64).ceil() as usize).clamp(1, ranked.len());
    let (good, other) = ranked.split_at(good);
    let mut stream = Stream::new(seed, Purpose::Design, ranked.len() as u64);
    let mut proposals: Vec<(f64, Vec<f64>)> = (0..count)
        .map(|_| {
            let position: Vec<f64> = (0..first.len()).map(|dimension| draw(good, dimension, &mut stream)).collect();
            let score = (0..first.len())
                .map(|dimension| {
                    let at = position[dimension];
                    libm::log(density(good, dimension, at)) - libm::log(density(other, dimension, at))
                })
                .sum();
            (score, position)
        })
        .collect();
    proposals.sort_by(|a, b| b.0.total_cmp(&a.0));
    proposals.into_iter().map(|(_, position)| position).collect()
}

/// Width of a bump: Scott's rule on the unit interval, with a floor so that late searches can still move.
fn width(count: usize) -> f64 {
    (0.3 * libm::pow(count as f64, -0.4)).max(0.02)
}

fn draw(around: &[Vec<f64>], dimension: usize, stream: &mut Stream) -> f64 {
    let choice = stream.below(around.len() as u64 + 1) as usize;
    let Some(center) = around.get(choice) else { return stream.uniform() };
    // A triangle is as good a bump as any, is drawn by two numbers, and is folded back at the ends.
    let offset = (stream.uniform() - stream.uniform()) * 2.0 * width(around.len());
    let at = (center[dimension] + offset).abs();
    if at > 1.0 { 2.0 - at } else { at }
}

fn density(around: &[Vec<f64>], dimension: usize, at: f64) -> f64 {
    let reach = 2.0 * width(around.len());
    let bump = |distance: f64| (1.0 - distance.abs() / reach).max(0.0) / reach;
    let sum: f64 = around
        .iter()
        .map(|center| {
            let center = center[dimension];
            bump(at - center) + bump(at + center) + bump(2.0 - at - center)
        })
        .sum();
    (sum + 1.0) / (around.len() as f64 + 1.0)
}
