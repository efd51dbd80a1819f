//! What kubelet's events say about image pulls.

/// What a `Pulled` event says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pulled {
    /// The image was there already.
    Present,
    /// It was pulled.
    Timed {
        /// The pull itself, in seconds.
        seconds: f64,
        /// Waiting behind other pulls of the node, in seconds.
        waited: f64,
        /// Size of the image.
        bytes: Option<u64>,
    },
    /// It was pulled, and the message does not say how long it took.
    Untimed,
}

impl Pulled {
    /// Reads the message of a `Pulled` event: `... in 39.553s (1m2s including waiting). Image size: 9354342327 bytes.`
    pub fn read(message: &str) -> Self {
        if message.contains("already present on machine") {
            return Self::Present;
        }
        let Some((_, after)) = message.rsplit_once("\" in ") else { return Self::Untimed };
        let mut words = after.split([' ', '(', ')']).filter(|word| !word.is_empty());
        let Some(seconds) = words.next().and_then(go_duration) else { return Self::Untimed };
        let total = words.next().and_then(go_duration).unwrap_or(seconds);
        let bytes = after.split_once("Image size: ").and_then(|(_, size)| size.split(' ').next()?.parse().ok());
        Self::Timed { seconds, waited: (total - seconds).max(0.0), bytes }
    }
}

/// A Go duration such as `2m10.813s`, `850ms` or `1h0m0s`, in seconds; a full stop may follow.
fn go_duration(text: &str) -> Option<f64> {
    let mut rest = text.strip_suffix('.').unwrap_or(text);
    let mut total = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        let unit_end = rest[end..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |index| end + index);
        total += match &rest[end..unit_end] {
            "h" => number * 3_600.0,
            "m" => number * 60.0,
            "s" => number,
            "ms" => number / 1e3,
            "us" | "µs" => number / 1e6,
            "ns" => number / 1e9,
            _ => return None,
        };
        rest = &rest[unit_end..];
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_behind_other_pulls_is_told_from_the_pull() {
        let message = "Successfully pulled image \"a/b:1\" in 39.553s (2m10.813s including waiting). Image size: 9354342327 bytes.";
        let Pulled::Timed { seconds, waited, bytes } = Pulled::read(message) else { panic!("timed") };
        assert_eq!((seconds, bytes), (39.553, Some(9_354_342_327)));
        assert!((waited - 91.26).abs() < 1e-9);
    }

    #[test]
    fn an_image_on_the_machine_is_no_pull() {
        assert_eq!(Pulled::read("Container image \"a\" already present on machine"), Pulled::Present);
    }

    #[test]
    fn a_message_without_a_length_is_not_guessed_at() {
        assert_eq!(Pulled::read("Successfully pulled image \"a\""), Pulled::Untimed);
        assert_eq!(go_duration("1h0m0.5s"), Some(3_600.5));
        assert_eq!(go_duration("850ms"), Some(0.85));
        assert_eq!(go_duration("soon"), None);
    }
}
