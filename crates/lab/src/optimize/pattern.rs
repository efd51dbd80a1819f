//! The next steps from a good place: along one parameter at a time, shorter and shorter.
//!
//! A density of good places finds the region; it is slow to see that one parameter alone should go to its end. Coordinate steps after
//! Hooke and Jeeves, "Direct search solution of numerical and statistical problems", Journal of the ACM 8 (1961), see just that.

use crate::design::Dimension;

/// Both steps along every dimension from `position`, of length `step` in the unit cube but at least to the next value; of words all others.
pub(super) fn moves(position: &[f64], over: &[&Dimension], step: f64) -> Vec<Vec<f64>> {
    let mut moves = Vec::new();
    for (index, dimension) in over.iter().enumerate() {
        let mut push = |at: f64| {
            let mut moved = position.to_vec();
            // The upper end belongs to the last cell.
            moved[index] = at.clamp(0.0, 1.0 - 1e-9);
            moves.push(moved);
        };
        match (dimension, dimension.cells()) {
            (Dimension::Choice(_), Some(words)) => {
                (0..words).for_each(|word| push((word as f64 + 0.5) / words as f64));
            }
            (_, Some(cells)) => {
                let cell = 1.0 / cells as f64;
                // From the middle of the cell, so that one cell on is one value on.
                let middle = ((position[index] / cell).floor() + 0.5) * cell;
                let length = (step / cell).round().max(1.0) * cell;
                [-length, length].into_iter().for_each(|by| push(middle + by));
            }
            _ => [-step, step].into_iter().for_each(|by| push(position[index] + by)),
        }
    }
    moves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_reach_the_neighbors_however_short_they_are() {
        let (floor, target) = (Dimension::parse("1..5").unwrap(), Dimension::parse("0.0..1.0").unwrap());
        let moves = moves(&[0.55, 0.5], &[&floor, &target], 0.1);
        let values: Vec<(f64, f64)> =
            moves.iter().map(|at| (floor.at(at[0]).number, target.at(at[1]).number)).collect();
        assert_eq!(values, [(2.0, 0.5), (4.0, 0.5), (3.0, 0.4), (3.0, 0.6)]);
    }
}
