//! Least squares.

/// Coefficients, none negative, that bring Σ coefficient · column closest to the targets: least squares by the normal equations, and where
/// a coefficient comes out negative it is fixed at zero and the rest solved again, the most negative first. A column that is a combination
/// of others gets zero.
pub fn nonnegative_least_squares(rows: &[Vec<f64>], targets: &[f64]) -> Vec<f64> {
    let width = rows.first().map_or(0, Vec::len);
    let mut free: Vec<usize> = (0..width).collect();
    loop {
        let solved = solve(rows, targets, &free);
        let worst = (0..free.len())
            .filter(|index| solved[*index] < 0.0)
            .min_by(|left, right| solved[*left].total_cmp(&solved[*right]));
        let Some(worst) = worst else {
            let mut coefficients = vec![0.0; width];
            for (column, value) in free.into_iter().zip(solved) {
                coefficients[column] = value;
            }
            return coefficients;
        };
        free.remove(worst);
    }
}

/// Gauss–Jordan on the normal equations of the chosen columns, scaled to unit length.
fn solve(rows: &[Vec<f64>], targets: &[f64], columns: &[usize]) -> Vec<f64> {
    let size = columns.len();
    let scale: Vec<f64> = columns
        .iter()
        .map(|column| libm::sqrt(rows.iter().map(|row| row[*column] * row[*column]).sum::<f64>()).max(1e-300))
        .collect();
    let entry = |row: &Vec<f64>, index: usize| row[columns[index]] / scale[index];
    let mut matrix: Vec<Vec<f64>> = (0..size)
        .map(|i| {
            let mut line: Vec<f64> =
                (0..size).map(|j| rows.iter().map(|row| entry(row, i) * entry(row, j)).sum()).collect();
            line.push(rows.iter().zip(targets).map(|(row, target)| entry(row, i) * target).sum());
            line
        })
        .collect();
    for pivot in 0..size {
        // Without anything left of its own the column is a combination of the ones before it.
        if matrix[pivot][pivot].abs() < 1e-9 {
            matrix[pivot].fill(0.0);
            matrix[pivot][pivot] = 1.0;
        }
        let head: Vec<f64> = matrix[pivot].iter().map(|value| value / matrix[pivot][pivot]).collect();
        for (index, line) in matrix.iter_mut().enumerate() {
            let factor = line[pivot];
            if index == pivot {
                line.clone_from(&head);
            } else {
                line.iter_mut().zip(&head).for_each(|(value, above)| *value -= factor * above);
            }
        }
    }
    (0..size).map(|index| matrix[index][size] / scale[index]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_and_no_coefficient_is_negative() {
        let rows: Vec<Vec<f64>> = [1.0, 2.0, 4.0].iter().map(|x| vec![1.0, *x]).collect();
        let rising = nonnegative_least_squares(&rows, &[5.0, 7.0, 11.0]);
        assert!((rising[0] - 3.0).abs() < 1e-9 && (rising[1] - 2.0).abs() < 1e-9, "{rising:?}");
        let falling = nonnegative_least_squares(&rows, &[3.0, 2.0, 1.0]);
        assert_eq!(falling[1], 0.0);
        assert!((falling[0] - 2.0).abs() < 1e-9, "{falling:?}");
    }

    #[test]
    fn a_column_that_repeats_another_gets_nothing() {
        let rows: Vec<Vec<f64>> = [1.0, 2.0, 4.0].iter().map(|x| vec![*x, 2.0 * x]).collect();
        let found = nonnegative_least_squares(&rows, &[3.0, 6.0, 12.0]);
        assert!((found[0] - 3.0).abs() < 1e-9 && found[1] == 0.0, "{found:?}");
    }
}
