//! The name a user most likely meant.

/// The one of `allowed` that is closest to `found`, if any is close enough to be a slip of the pen: at most a third of its letters
/// (and at least two) changed, capitals not counted. Ties go to the first.
pub fn nearest<'a>(found: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = found.chars().flat_map(char::to_lowercase).collect();
    let mut best: Option<(usize, &str)> = None;
    for name in allowed {
        let candidate: Vec<char> = name.chars().flat_map(char::to_lowercase).collect();
        let limit = (candidate.len().max(wanted.len()) / 3).max(2);
        let distance = edits(&wanted, &candidate);
        if distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn one word into the other.
fn edits(from: &[char], to: &[char]) -> usize {
    let width = to.len() + 1;
    let mut table: Vec<usize> = (0..width).collect();
    for row in 1..=from.len() {
        table.push(row);
        for column in 1..width {
            let at = |back_rows: usize, back_columns: usize| table[(row - back_rows) * width + column - back_columns];
            let same = from[row - 1] == to[column - 1];
            let mut least = (at(1, 0) + 1).min(table[row * width + column - 1] + 1).min(at(1, 1) + usize::from(!same));
            if row > 1 && column > 1 && from[row - 1] == to[column - 2] && from[row - 2] == to[column - 1] {
                least = least.min(at(2, 2) + 1);
            }
            table.push(least);
        }
    }
    table[from.len() * width + to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_its_word_and_another_word_finds_none() {
        let allowed = ["targetUtilization", "static", "hpa", "duration"];
        assert_eq!(nearest("targetUtilisaton", allowed), Some("targetUtilization"));
        assert_eq!(nearest("durtaion", allowed), Some("duration"));
        assert_eq!(nearest("STATIC", allowed), Some("static"));
        assert_eq!(nearest("somethingElse", allowed), None);
    }
}
