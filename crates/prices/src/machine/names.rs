//! What the names of instance types say: families, sizes, generations.

/// `g6e` and `12xlarge` of `g6e.12xlarge`.
pub fn aws_parts(name: &str) -> Option<(&str, &str)> {
    name.split_once('.')
}

/// The letters before the first digit of an AWS family.
pub fn aws_category(family: &str) -> &str {
    family.find(|letter: char| !letter.is_ascii_alphabetic()).map_or(family, |end| &family[..end])
}

/// The digits that follow the category of an AWS family.
pub fn aws_generation(family: &str) -> Option<&str> {
    let rest = &family[aws_category(family).len()..];
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    Some(&rest[..end]).filter(|digits| !digits.is_empty())
}

/// The name of a GCP machine without what is attached to it.
pub fn gcp_plain(name: &str) -> &str {
    name.split_once('+').map_or(name, |(machine, _)| machine)
}

/// The last part of a GCP name, or the last but one of four and more.
pub fn gcp_size(name: &str) -> Option<&str> {
    let parts: Vec<&str> = name.split('-').collect();
    let back = if parts.len() > 3 { 2 } else { 1 };
    parts.len().checked_sub(back).and_then(|index| parts.get(index)).copied()
}

/// The last character of a GCP family, or the last but one of three.
pub fn gcp_generation(family: &str) -> Option<char> {
    let back = usize::from(family.len() == 3);
    family.chars().rev().nth(back).filter(char::is_ascii_digit)
}

/// Series, version and words between of an Azure size: `NCads_v4`, `4` and `["A100"]` of `Standard_NC24ads_A100_v4`.
pub fn azure_parts(name: &str) -> (String, &str, Vec<&str>) {
    let plain = name.strip_prefix("Standard_").unwrap_or(name);
    let mut words: Vec<&str> = plain.split('_').collect();
    let is_version = |word: &&str| {
        word.strip_prefix('v').is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()))
    };
    let version = words.last().copied().filter(is_version);
    words.truncate(words.len() - usize::from(version.is_some()));
    let first = words.first().copied().unwrap_or_default();
    let letters: String = first.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    let series = version.map_or_else(|| letters.clone(), |version| format!("{letters}_{version}"));
    let between = words.into_iter().skip(1).collect();
    (series, version.map_or("1", |version| &version[1..]), between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_each_provider_does() {
        assert_eq!((aws_category("g6e"), aws_generation("g6e")), ("g", Some("6")));
        assert_eq!((aws_category("gr6f"), aws_generation("p6-b200")), ("gr", Some("6")));
        assert_eq!((aws_category("u-6tb1"), aws_generation("inf2")), ("u", Some("2")));
        assert_eq!((gcp_size("a3-highgpu-8g"), gcp_size("c4-standard-8-lssd")), (Some("8g"), Some("8")));
        assert_eq!((gcp_generation("g2"), gcp_generation("a4x")), (Some('2'), Some('4')));
        assert_eq!(azure_parts("Standard_NC24ads_A100_v4"), ("NCads_v4".to_owned(), "4", vec!["A100"]));
        assert_eq!(azure_parts("Standard_ND128isr_NDR_GB200_v6").2, ["NDR", "GB200"]);
        assert_eq!(azure_parts("Standard_NC6"), ("NC".to_owned(), "1", vec![]));
    }
}
