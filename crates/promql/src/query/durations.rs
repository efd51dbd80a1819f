//! Durations that the parser cannot take: it stops the program at some of them, and takes others for nothing.

use super::places::token;

/// Longer ones are refused: three centuries, which is what Prometheus' nanoseconds hold.
const SECONDS_MAX: f64 = 9.2e9;

/// The first range, step or offset of a text that is no time, or a longer one than there is.
pub(super) fn impossible(text: &str) -> Option<String> {
    let (mut position, mut written, mut is_offset) = (0, None::<String>, false);
    while position < text.len() {
        let rest = &text[position..];
        let token = &rest[..token(rest)];
        position += token.len();
        match (&mut written, token) {
            (_, token) if token.starts_with('#') => {}
            (None, "[") => written = Some(String::new()),
            (None, token) if token.eq_ignore_ascii_case("offset") => {
                (written, is_offset) = (Some(String::new()), true);
            }
            (None, _) => {}
            // What a duration is made of; blanks and signs may stand before that of an offset.
            (Some(so_far), token) if is_part(so_far, token, is_offset) => so_far.push_str(token.trim()),
            (Some(so_far), _) => {
                if let Some(wrong) = wrong_one(so_far) {
                    return Some(wrong);
                }
                (written, is_offset) = (None, false);
            }
        }
    }
    written.as_deref().and_then(wrong_one)
}

fn is_part(so_far: &str, token: &str, is_offset: bool) -> bool {
    let is_word = token.starts_with(|first: char| first.is_ascii_alphanumeric() || matches!(first, '.' | ':'));
    let is_exponent = matches!(token, "+" | "-") && (so_far.ends_with(['e', 'E']) || (is_offset && so_far.is_empty()));
    let is_blank = token.trim().is_empty();
    (is_word && !(is_offset && !so_far.is_empty() && !so_far.ends_with(['e', 'E', '+', '-'])))
        || is_exponent
        || is_blank
}

/// The part of a range with its step that is impossible.
fn wrong_one(written: &str) -> Option<String> {
    written
        .split(':')
        .map(|part| part.trim_start_matches(['+', '-']))
        .find(|part| is_impossible(part))
        .map(str::to_owned)
}

fn is_impossible(part: &str) -> bool {
    let hexadecimal = part.strip_prefix("0x").or_else(|| part.strip_prefix("0X"));
    let seconds = match hexadecimal {
        Some(digits) => u128::from_str_radix(digits, 16).ok().map(|seconds| seconds as f64),
        None => part.parse::<f64>().ok(),
    };
    match seconds {
        Some(seconds) => !(0.0..=SECONDS_MAX).contains(&seconds),
        // A number of units that the parser cannot hold would be left out of the sum.
        None => part
            .split(|letter: char| !letter.is_ascii_digit())
            .any(|digits| !digits.is_empty() && hexadecimal.is_none() && digits.parse::<u32>().is_err()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_that_the_parser_stops_at_is_found_wherever_it_stands() {
        let found = |text: &str| impossible(text).unwrap_or_default();
        for wrong in ["1e308", "NaN", "Inf", "1e+30", "99999999999s", "0xffffffffffffffff"] {
            for query in [
                format!("rate(x[{wrong}])"),
                format!("x[5m:{wrong}]"),
                format!("x offset {wrong} + 1"),
                format!("x OFFSET -{wrong}"),
            ] {
                assert_eq!(found(&query), wrong, "{query}");
            }
        }
        for right in [
            "rate(x[5m])",
            "x[90:15s] offset 1.5",
            "x offset - 5m - 1e300",
            "x[1e3] + 1e308 > Inf",
            "x{a=\"[1e308]\"} # [1e308]",
            "x offset 1w + inf",
        ] {
            assert_eq!(found(right), "", "{right}");
        }
    }
}
