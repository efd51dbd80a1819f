//! Names of strangers: which one a user most likely meant, and how one is shown where its letters would mean something.
//!
//! One rule for every message and every table, so that the same slip gets the same answer in a scenario, a catalog, a sweep and on the
//! command line. This crate knows nothing else.

mod shown;

pub use shown::{markdown, not_shown};

/// Beginnings shorter than this fit too much to be a hint.
const BEGINNING_MIN: usize = 3;

/// The one of `allowed` that is closest to `found`, if any is close enough to be a slip of the pen: at most a third of its letters
/// (and at least two) changed, or the rest of it left out. Capitals and punctuation do not count. Ties go to the first, so the answer does
/// not depend on more than the order given.
pub fn nearest<'a>(found: &str, allowed: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = letters(found);
    let mut best: Option<(usize, &str)> = None;
    let mut begun: Option<(usize, &str)> = None;
    for name in allowed {
        let candidate = letters(name);
        let limit = (candidate.len().max(wanted.len()) / 3).max(2);
        let distance = edits(&wanted, &candidate);
        // A name all of whose letters changed is another name, however short both are.
        let is_slip = distance <= limit && distance < candidate.len().max(wanted.len());
        if is_slip && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, name));
        }
        let left_out = candidate.len().saturating_sub(wanted.len());
        let is_beginning = wanted.len() >= BEGINNING_MIN && candidate.starts_with(&wanted);
        if is_beginning && begun.is_none_or(|(least, _)| left_out < least) {
            begun = Some((left_out, name));
        }
    }
    best.or(begun).map(|(_, name)| name)
}

/// Letters to insert, delete, change or swap to make one word of the other, as they are.
pub fn distance(from: &str, to: &str) -> usize {
    let letters = |word: &str| word.chars().collect::<Vec<char>>();
    edits(&letters(from), &letters(to))
}

fn letters(name: &str) -> Vec<char> {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
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
        assert_eq!(nearest("xy", ["ab"]), None);
    }

    #[test]
    fn punctuation_left_out_is_a_slip_too() {
        let allowed = ["p4d.24xlarge", "g5.xlarge", "a2-highgpu-1g"];
        assert_eq!(nearest("p4d24xlarge", allowed), Some("p4d.24xlarge"));
        assert_eq!(nearest("G5.Xlrage", allowed), Some("g5.xlarge"));
        assert_eq!(nearest("something-else", allowed), None);
    }

    #[test]
    fn a_beginning_finds_the_shortest_name_that_goes_on_from_it() {
        let allowed = ["vllm-8b-h100-parallel-pull", "vllm-8b-h100", "vllm-70b-tp4"];
        assert_eq!(nearest("vllm-8b", allowed), Some("vllm-8b-h100"));
        assert_eq!(nearest("vl", allowed), None);
    }
}
