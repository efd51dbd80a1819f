//! Triton's `config.pbtxt`, as far as it says how requests are batched.

/// What a model configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TritonConfig {
    /// `name`.
    pub name: Option<String>,
    /// `max_batch_size`; 0 means requests are not batched.
    pub batch_max: u32,
    /// `dynamic_batching` is there: without it requests are never merged.
    pub is_dynamic: bool,
    /// `preferred_batch_size`.
    pub preferred: Vec<u32>,
    /// `max_queue_delay_microseconds`.
    pub queue_delay_us: u64,
    /// Instances in all: Σ `count` of the instance groups, 1 where there is none.
    pub instances: u32,
    /// `backend` or `platform`.
    pub backend: Option<String>,
}

impl TritonConfig {
    /// Reads protobuf text; what is not about batching is passed over.
    pub fn parse(text: &str) -> Self {
        let plain: String =
            text.lines().map(|line| line.split('#').next().unwrap_or("")).collect::<Vec<_>>().join("\n");
        let numbers = |key: &str| numbers_after(&plain, key);
        let word = |key: &str| {
            let at = plain.find(&format!("{key}:")).or_else(|| plain.find(&format!("{key} :")))?;
            plain[at..].split('"').nth(1).map(str::to_owned)
        };
        let counts: Vec<u64> =
            plain.split("instance_group").skip(1).flat_map(|group| numbers_after(group, "count")).collect();
        Self {
            name: word("name"),
            batch_max: numbers("max_batch_size").first().map_or(0, |size| *size as u32),
            is_dynamic: plain.contains("dynamic_batching"),
            preferred: numbers("preferred_batch_size").into_iter().map(|size| size as u32).collect(),
            queue_delay_us: numbers("max_queue_delay_microseconds").first().copied().unwrap_or(0),
            instances: counts.iter().sum::<u64>().max(1) as u32,
            backend: word("backend").or_else(|| word("platform")),
        }
    }
}

/// The whole numbers given after each `key:` or `key [`, lists opened.
fn numbers_after(text: &str, key: &str) -> Vec<u64> {
    let mut found = Vec::new();
    for after in text.split(key).skip(1) {
        let after = after.trim_start_matches([' ', ':', '\n', '\t']);
        let list = match after.strip_prefix('[') {
            Some(list) => list.split(']').next().unwrap_or(""),
            None => after.split(|letter: char| !letter.is_ascii_digit()).next().unwrap_or(""),
        };
        found.extend(list.split(',').filter_map(|number| number.trim().parse::<u64>().ok()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_says_how_requests_are_merged() {
        let config = TritonConfig::parse(
            "name: \"ranker\"\nbackend: \"onnxruntime\"\nmax_batch_size: 32 # of requests\n\
             dynamic_batching {\n  preferred_batch_size: [ 8, 16 ]\n  max_queue_delay_microseconds: 2000\n}\n\
             instance_group [ { count: 2 kind: KIND_GPU } ]\n",
        );
        assert_eq!((config.batch_max, config.queue_delay_us, config.instances), (32, 2000, 2));
        assert_eq!((config.preferred.as_slice(), config.is_dynamic), ([8, 16].as_slice(), true));
        assert_eq!(config.backend.as_deref(), Some("onnxruntime"));
        assert!(!TritonConfig::parse("max_batch_size: 8").is_dynamic);
    }
}
