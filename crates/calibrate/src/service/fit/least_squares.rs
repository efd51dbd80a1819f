//! Nonlinear least squares: Gauss-Newton with Marquardt's damping, bounds, and a weak pull to where it began.

/// A function whose squares are to be small.
pub(super) trait Problem {
    /// Weighted errors, run by run.
    fn residuals(&self, values: &[f64]) -> Vec<Vec<f64>>;
    /// Least and greatest value of an unknown.
    fn bounds(&self, index: usize) -> (f64, f64);
    /// By how much it is moved to see what it does.
    fn step(&self, index: usize) -> f64;
    /// Where it began, and how far it usually is from there.
    fn prior(&self, index: usize) -> (f64, f64);
}

/// How much the pull counts: an unknown that is as far as usual costs as much as an error of one percent.
const PULL: f64 = 0.01;
const ITERATIONS: usize = 14;

/// Shorter and shorter steps that are tried before none is taken.
const TRIES: usize = 7;

/// What was found.
#[derive(Clone, Debug)]
pub(super) struct Solution {
    /// Values of the unknowns.
    pub values: Vec<f64>,
    /// Standard errors; infinite where the runs leave them open.
    pub deviations: Vec<f64>,
    residuals: Vec<Vec<f64>>,
    /// Derivatives of each run's residuals by each unknown.
    slopes: Vec<Vec<Vec<f64>>>,
}

/// The values with the least squares, from `start`.
pub(super) fn solve(problem: &impl Problem, start: Vec<f64>) -> Solution {
    let mut values = clamped(problem, start);
    let mut residuals = problem.residuals(&values);
    let mut cost = total(problem, &values, &residuals);
    let mut damping = 1e-3;
    let mut slopes = derivatives(problem, &values, &residuals);
    for _ in 0..ITERATIONS {
        let mut is_better = false;
        for _ in 0..TRIES {
            let step = normal(problem, &values, (&residuals, &slopes), (damping, None));
            let moved = clamped(problem, values.iter().zip(&step).map(|(value, step)| value + step).collect());
            let shown = problem.residuals(&moved);
            let found = total(problem, &moved, &shown);
            if found < cost {
                is_better = cost - found > 1e-4 * cost;
                (values, residuals, cost) = (moved, shown, found);
                damping = (damping / 5.0).max(1e-7);
                break;
            }
            damping = (damping * 8.0).max(1e-2);
        }
        if !is_better {
            break;
        }
        slopes = derivatives(problem, &values, &residuals);
    }
    let deviations = deviations(problem, &residuals, &slopes);
    Solution { values, deviations, residuals, slopes }
}

impl Solution {
    /// The values one step from here towards the least squares without run `left_out`: the whole step, or a part of it that is better.
    /// Simulated tests jump where a request just makes it into a pass, and a whole step may land beyond such an edge.
    pub fn without(&self, left_out: usize, problem: &impl Problem) -> Vec<f64> {
        let others = |mut residuals: Vec<Vec<f64>>| {
            residuals.remove(left_out);
            residuals
        };
        let step = normal(problem, &self.values, (&self.residuals, &self.slopes), (1e-7, Some(left_out)));
        let cost = total(problem, &self.values, &others(self.residuals.clone()));
        let part = |share: f64| {
            clamped(problem, self.values.iter().zip(&step).map(|(value, step)| value + share * step).collect())
        };
        let better = [1.0, 0.5, 0.2, 0.05].into_iter().map(part);
        let mut better = better.filter(|moved| total(problem, moved, &others(problem.residuals(moved))) < cost);
        better.next().unwrap_or_else(|| self.values.clone())
    }
}

fn clamped(problem: &impl Problem, mut values: Vec<f64>) -> Vec<f64> {
    for (index, value) in values.iter_mut().enumerate() {
        let (low, high) = problem.bounds(index);
        *value = value.clamp(low, high);
    }
    values
}

fn total(problem: &impl Problem, values: &[f64], residuals: &[Vec<f64>]) -> f64 {
    let pull = values.iter().enumerate().map(|(index, value)| {
        let (start, usual) = problem.prior(index);
        PULL * (value - start) / usual
    });
    residuals.iter().flatten().copied().chain(pull).map(|one| one * one).sum()
}

/// From a step to each side, as far as there is room: simulated tests jump, and the middle of two sides sees less of it.
fn derivatives(problem: &impl Problem, values: &[f64], at: &[Vec<f64>]) -> Vec<Vec<Vec<f64>>> {
    let mut slopes: Vec<Vec<Vec<f64>>> = at.iter().map(|run| vec![vec![0.0; values.len()]; run.len()]).collect();
    for index in 0..values.len() {
        let (step, (low, high)) = (problem.step(index), problem.bounds(index));
        let shown = |value: f64| {
            let mut moved = values.to_vec();
            moved[index] = value;
            problem.residuals(&moved)
        };
        let (less, more) = ((values[index] - step).max(low), (values[index] + step).min(high));
        for (run, (below, above)) in shown(less).iter().zip(shown(more)).enumerate() {
            for (row, (below, above)) in below.iter().zip(above).enumerate() {
                slopes[run][row][index] = (above - below) / (more - less);
            }
        }
    }
    slopes
}

/// The normal equations, each unknown measured in what is usual for it.
fn equations(
    problem: &impl Problem,
    (residuals, slopes): (&[Vec<f64>], &[Vec<Vec<f64>>]),
    left_out: Option<usize>,
    values: Option<&[f64]>,
) -> (Vec<Vec<f64>>, Vec<f64>) {
    let size = slopes.iter().flatten().map(Vec::len).next().unwrap_or(0);
    let usual: Vec<f64> = (0..size).map(|index| problem.prior(index).1).collect();
    let (mut matrix, mut right) = (vec![vec![0.0; size]; size], vec![0.0; size]);
    for (run, rows) in slopes.iter().enumerate().filter(|(run, _)| Some(*run) != left_out) {
        for (row, slope) in rows.iter().enumerate() {
            for one in 0..size {
                right[one] -= slope[one] * usual[one] * residuals[run][row];
                for other in 0..size {
                    matrix[one][other] += slope[one] * usual[one] * slope[other] * usual[other];
                }
            }
        }
    }
    for index in 0..size {
        matrix[index][index] += PULL * PULL;
        if let Some(values) = values {
            right[index] -= PULL * PULL * (values[index] - problem.prior(index).0) / usual[index];
        }
    }
    (matrix, right)
}

fn normal(
    problem: &impl Problem,
    values: &[f64],
    at: (&[Vec<f64>], &[Vec<Vec<f64>>]),
    (damping, left_out): (f64, Option<usize>),
) -> Vec<f64> {
    let (mut matrix, right) = equations(problem, at, left_out, Some(values));
    for (index, row) in matrix.iter_mut().enumerate() {
        row[index] *= 1.0 + damping;
    }
    let inverse = inverted(matrix);
    let product = |row: &Vec<f64>| row.iter().zip(&right).map(|(one, other)| one * other).sum::<f64>();
    inverse.iter().enumerate().map(|(index, row)| product(row) * problem.prior(index).1).collect()
}

fn deviations(problem: &impl Problem, residuals: &[Vec<f64>], slopes: &[Vec<Vec<f64>>]) -> Vec<f64> {
    let (matrix, _) = equations(problem, (residuals, slopes), None, None);
    let size = matrix.len();
    // A row that no unknown moves says nothing of them.
    let counted = slopes.iter().flatten().filter(|row| row.iter().any(|slope| *slope != 0.0)).count();
    if counted <= size {
        return vec![f64::INFINITY; size];
    }
    let squares: f64 = residuals.iter().flatten().map(|one| one * one).sum();
    let variance = squares / (counted - size) as f64;
    let inverse = inverted(matrix);
    (0..size).map(|index| libm::sqrt((inverse[index][index] * variance).max(0.0)) * problem.prior(index).1).collect()
}

/// Of a symmetric positive matrix, by Gauss-Jordan: the pull keeps the diagonal above zero.
fn inverted(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let size = matrix.len();
    let mut inverse: Vec<Vec<f64>> =
        (0..size).map(|row| (0..size).map(|column| f64::from(u8::from(row == column))).collect()).collect();
    for pivot in 0..size {
        let head = if matrix[pivot][pivot].abs() < 1e-300 { 1e-300 } else { matrix[pivot][pivot] };
        for column in 0..size {
            matrix[pivot][column] /= head;
            inverse[pivot][column] /= head;
        }
        for row in (0..size).filter(|row| *row != pivot) {
            let factor = matrix[row][pivot];
            for column in 0..size {
                matrix[row][column] -= factor * matrix[pivot][column];
                inverse[row][column] -= factor * inverse[pivot][column];
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    /// y = a exp(b x) at five points.
    struct Exponential;

    impl Problem for Exponential {
        fn residuals(&self, values: &[f64]) -> Vec<Vec<f64>> {
            let truth = |x: f64| 2.0 * libm::exp(0.3 * x);
            let points = [0.0, 1.0, 2.0, 3.0, 4.0];
            points.iter().map(|x| vec![values[0] * libm::exp(values[1] * x) / truth(*x) - 1.0, 0.0]).collect()
        }
        fn bounds(&self, _: usize) -> (f64, f64) {
            (0.0, 10.0)
        }
        fn step(&self, _: usize) -> f64 {
            1e-5
        }
        fn prior(&self, _: usize) -> (f64, f64) {
            (1.0, 1.0)
        }
    }

    #[test]
    fn a_curve_is_found_from_afar_and_from_its_other_points() {
        let solution = solve(&Exponential, vec![1.0, 1.0]);
        assert!((solution.values[0] - 2.0).abs() < 2e-3 && (solution.values[1] - 0.3).abs() < 1e-3, "{solution:?}");
        assert!(solution.deviations.iter().all(|one| *one < 0.01), "{solution:?}");
        let without = solution.without(4, &Exponential);
        assert!((without[0] - 2.0).abs() < 5e-3 && (without[1] - 0.3).abs() < 3e-3, "{without:?}");
    }
}
