//! The name that was probably meant.

/// The known name with the fewest changed letters, if fewer than half of them changed; capitals and punctuation do not count. The first
/// of equals wins.
pub fn nearest<'a>(wanted: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let wanted = letters(wanted);
    known
        .into_iter()
        .map(|name| (changes(&wanted, &letters(name)), name))
        .filter(|(changed, name)| changed * 2 < wanted.len().max(name.len()))
        .min_by_key(|(changed, _)| *changed)
        .map(|(_, name)| name.to_owned())
}

fn letters(name: &str) -> Vec<char> {
    name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

/// Letters to insert, delete or replace; one row of the classic table at a time.
fn changes(left: &[char], right: &[char]) -> usize {
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (done, a) in left.iter().enumerate() {
        let mut row = vec![done + 1];
        for (j, b) in right.iter().enumerate() {
            row.push((above[j] + usize::from(a != b)).min(above[j + 1] + 1).min(row[j] + 1));
        }
        above = row;
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_instance_type_finds_its_neighbour_and_nonsense_finds_none() {
        let known = ["p4d.24xlarge", "g5.xlarge", "a2-highgpu-1g"];
        assert_eq!(nearest("p4d24xlarge", known).as_deref(), Some("p4d.24xlarge"));
        assert_eq!(nearest("G5.Xlrage", known).as_deref(), Some("g5.xlarge"));
        assert_eq!(nearest("something-else", known), None);
    }
}
