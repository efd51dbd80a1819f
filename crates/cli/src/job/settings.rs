//! The words of `--emit-job`.

use std::str::FromStr;

use storage::Address;

use crate::failure::{Failure, Result};

/// Most shards of one Job: the merge names each on its command line, and an object of Kubernetes has 1.5 MiB.
const SHARDS_MAX: usize = 10_000;
/// Longest name of a Job: pods add `-INDEX` and the merge adds `-merge`, and a host name has 63 letters.
const NAME_MAX: usize = 50;
/// Memory of a process, of a setting of a point in it, of a row that is merged: what docs/scale.md has as measured, and a tenth.
const BYTES_AT_LEAST: usize = 128 << 20;
const BYTES_PER_SETTING: usize = 470;
const BYTES_PER_ROW: usize = 5_200;
/// The keys, in the order messages list them.
const KEYS: &[&str] = &[
    "image",
    "shards",
    "volume",
    "size",
    "storageClass",
    "bucket",
    "secret",
    "serviceAccount",
    "namespace",
    "name",
    "parallelism",
    "cpu",
    "memory",
    "retries",
    "input",
];

/// How a sweep is to run on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Container image with `scalelab` as its entry point.
    pub image: String,
    /// Pods' worth of shares.
    pub shards: usize,
    /// Name of the PersistentVolumeClaim that results go to.
    pub volume: Option<String>,
    /// Size of the claim, which is then written too.
    pub size: Option<String>,
    /// Its storage class; the cluster's default if not said.
    pub storage_class: Option<String>,
    /// Address of the folder in a bucket that results go to, in place of a claim.
    pub bucket: Option<Address>,
    /// Name of the Secret whose keys are variables of the pods: what opens the bucket.
    pub secret: Option<String>,
    /// The service account of the pods, where the bucket is opened to that.
    pub service_account: Option<String>,
    /// Namespace of everything; that of the `kubectl` context if not said.
    pub namespace: Option<String>,
    /// Name of the Job; made of the sweep's if not said.
    pub name: Option<String>,
    /// Most pods at once.
    pub parallelism: usize,
    /// CPUs of a pod, and threads.
    pub cpu: usize,
    /// Memory of a pod.
    pub memory: String,
    /// Times a shard is tried again.
    pub retries: usize,
    /// The sweep's file as the pods see it, where the volume or the image has it.
    pub input: Option<String>,
}

impl Settings {
    /// Reads words `KEY=VALUE`.
    pub fn parse(words: &[String]) -> Result<Self> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| wrong(word, "expected KEY=VALUE (the sweep is named before --emit-job)"))?;
            if !KEYS.contains(&key) {
                let near = names::nearest(key, KEYS.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
                let near = near.unwrap_or_default();
                return Err(wrong(word, &format!("unknown key `{key}`{near} (one of: {})", KEYS.join(", "))));
            }
            if pairs.iter().any(|(other, _)| *other == key) {
                return Err(wrong(word, "the key is there twice"));
            }
            pairs.push((key, value));
        }
        let text = |key: &str| pairs.iter().find(|(found, _)| *found == key).map(|(_, value)| *value);
        let owned = |key: &str, what: &str, is_right: fn(&str) -> bool| match text(key) {
            Some(value) if !is_right(value) => Err(wrong(&format!("{key}={value}"), &format!("expected {what}"))),
            found => Ok(found.map(str::to_owned)),
        };
        let count = |key: &str, from: usize, to: usize| match text(key) {
            None => Ok(None),
            Some(value) => match usize::from_str(value) {
                Ok(number) if (from..=to).contains(&number) => Ok(Some(number)),
                _ => Err(wrong(&format!("{key}={value}"), &format!("expected a whole number from {from} to {to}"))),
            },
        };
        let needed =
            |key: &str, example: &str| Failure::input(format!("--emit-job: {key} is missing, such as {example}"));
        let shards = count("shards", 1, SHARDS_MAX)?.ok_or_else(|| needed("shards", "shards=50"))?;
        let settings = Self {
            image: owned("image", "an image such as ghcr.io/me/scalelab:1", is_image)?
                .ok_or_else(|| needed("image", "image=ghcr.io/me/scalelab:1"))?,
            shards,
            volume: owned("volume", DNS_NAME, is_dns_name)?,
            size: owned("size", QUANTITY, is_quantity)?,
            storage_class: owned("storageClass", DNS_NAME, is_dns_name)?,
            bucket: text("bucket").map(Address::parse).transpose()?,
            secret: owned("secret", DNS_NAME, is_dns_name)?,
            service_account: owned("serviceAccount", DNS_NAME, is_dns_name)?,
            namespace: owned("namespace", DNS_NAME, is_dns_name)?,
            name: owned("name", "at most 50 of a-z, 0-9 and -, a letter first", is_job_name)?,
            parallelism: count("parallelism", 1, shards)?.unwrap_or(shards),
            cpu: count("cpu", 1, 1_024)?.unwrap_or(1),
            memory: owned("memory", QUANTITY, is_quantity)?.unwrap_or_else(|| "1Gi".to_owned()),
            retries: count("retries", 0, 100)?.unwrap_or(3),
            input: owned(
                "input",
                "the path of the sweep in the container, such as /scalelab/out/sweep.yaml",
                |path| path.starts_with('/'),
            )?,
        };
        settings.hold(needed)?;
        Ok(settings)
    }

    /// Whether it is said where results go, once, and nothing that is of another place.
    fn hold(&self, needed: impl Fn(&str, &str) -> Failure) -> Result<()> {
        let has_claim = self.volume.is_some() || self.size.is_some();
        match &self.bucket {
            None if !has_claim => {
                return Err(needed(
                    "volume",
                    "volume=CLAIM (a claim that is there), size=10Gi (one that is written too) or bucket=s3://lab/sweeps",
                ));
            }
            Some(bucket) if has_claim => {
                return Err(wrong(
                    &format!("bucket={bucket}"),
                    "results go to it or to a volume (volume, size), not both",
                ));
            }
            None if self.secret.is_some() || self.service_account.is_some() => {
                return Err(needed("bucket", "bucket=s3://lab/sweeps: secret and serviceAccount open one"));
            }
            _ => {}
        }
        if self.storage_class.is_some() && self.size.is_none() {
            return Err(needed("size", "size=10Gi: storageClass is of a claim that is written"));
        }
        Ok(())
    }

    /// Memory of a pod of the shards: each process has all points of the sweep, so many settings in all.
    pub fn shard_memory(&self, settings: usize) -> String {
        self.memory_at_least(settings * BYTES_PER_SETTING)
    }

    /// Memory of the pod that merges so many rows: they are read back whole.
    pub fn merge_memory(&self, rows: usize) -> String {
        self.memory_at_least(rows * BYTES_PER_ROW)
    }

    /// The memory that was said, or what a process with so many bytes of its own needs, if that is more.
    fn memory_at_least(&self, own: usize) -> String {
        let needed = BYTES_AT_LEAST + own;
        if bytes_of(&self.memory).is_some_and(|given| given >= needed as f64) {
            return self.memory.clone();
        }
        format!("{}Mi", needed.div_ceil(1 << 20))
    }
}

fn wrong(word: &str, problem: &str) -> Failure {
    Failure::input(format!("--emit-job {word}: {problem}"))
}

const DNS_NAME: &str = "a name of a-z, 0-9 and -, at most 63";
const QUANTITY: &str = "an amount such as 10Gi";

fn is_dns_name(text: &str) -> bool {
    let is_inner = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.chars().all(|letter| is_inner(letter) || letter == '-')
        && text.starts_with(is_inner)
        && text.ends_with(is_inner)
}

fn is_job_name(text: &str) -> bool {
    text.len() <= NAME_MAX && is_dns_name(text) && text.starts_with(|letter: char| letter.is_ascii_lowercase())
}

fn is_image(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-/:@".contains(letter))
}

/// A quantity of Kubernetes above zero, a number and a suffix, in bytes.
fn bytes_of(text: &str) -> Option<f64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (prefix, base) = suffix.strip_suffix('i').map_or((suffix, 1e3_f64), |prefix| (prefix, 1_024.0));
    let power = match (prefix, base > 1e3) {
        ("", false) => 0,
        ("k", false) | ("K", true) => 1,
        ("M", _) => 2,
        ("G", _) => 3,
        ("T", _) => 4,
        ("P", _) => 5,
        _ => return None,
    };
    number.parse().ok().filter(|number: &f64| *number > 0.0).map(|number| number * base.powi(power))
}

fn is_quantity(text: &str) -> bool {
    bytes_of(text).is_some()
}

/// A sweep's name as Kubernetes takes it.
pub fn job_name(sweep: &str) -> Result<String> {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let mut name: String = sweep.chars().map(plain).collect();
    name = name.trim_start_matches(|letter: char| !letter.is_ascii_lowercase()).to_owned();
    name.truncate(NAME_MAX);
    let name = name.trim_end_matches('-').to_owned();
    if is_job_name(&name) {
        return Ok(name);
    }
    Err(Failure::input(format!("--emit-job: the sweep's name `{sweep}` makes no name for a Job; say name=NAME")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &str) -> std::result::Result<Settings, String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        Settings::parse(&words).map_err(|failure| match failure {
            Failure::Input(error) | Failure::Environment(error) => error.to_string(),
        })
    }

    #[test]
    fn what_is_left_out_has_defaults() {
        let settings = parsed("image=me/scalelab:1 shards=50 volume=results").expect("these are enough");
        assert_eq!((settings.parallelism, settings.cpu, settings.memory.as_str(), settings.retries), (50, 1, "1Gi", 3));
    }

    #[test]
    fn pods_get_the_memory_that_points_and_rows_take() {
        let settings = parsed("image=x shards=2 volume=v memory=1Gi").expect("these are enough");
        assert_eq!([1_000, 1_000_000].map(|rows| settings.merge_memory(rows)), ["1Gi", "5088Mi"]);
        assert_eq!([1_000, 3_000_000].map(|number| settings.shard_memory(number)), ["1Gi", "1473Mi"]);
        let of = |text: &str| bytes_of(text);
        assert_eq!(
            [of("1.5k"), of("2Ki"), of("3Gi"), of("7")],
            [Some(1.5e3), Some(2048.0), Some(3.0 * 1024f64.powi(3)), Some(7.0)]
        );
        assert_eq!([of("1K"), of("1ki"), of("1GB"), of("0"), of("Gi")], [None; 5]);
    }

    #[test]
    fn slips_are_told_with_what_was_meant() {
        let told = |words: &str| parsed(words).expect_err(words);
        assert!(told("imag=x shards=2 volume=v").contains("`imag`; did you mean `image`?"));
        assert!(told("image=x shard=2").contains("did you mean `shards`?"));
        assert!(told("image=x shards=2 shards=3").contains("twice"));
        assert!(told("image=x shards=0 volume=v").contains("from 1 to 10000"));
        assert!(told("image=x shards=2 volume=v parallelism=3").contains("from 1 to 2"));
        assert!(told("image=x shards=2 volume=My_Claim").contains("expected a name"));
        assert!(told("image=x shards=2 size=10GB").contains("expected an amount"));
        assert!(told("image=x shards=2").contains("volume is missing"));
        assert!(told("shards=2 volume=v").contains("image is missing"));
        assert!(told("image=x shards=2 volume=v storageClass=fast").contains("size is missing"));
        assert!(told("image=x shards=2 volume=v sweep.yaml").contains("expected KEY=VALUE"));
        assert!(told("image=x shards=2 bucket=s3a://lab/x").contains("did you mean `s3://`?"));
        assert!(told("image=x shards=2 bucket=s3://lab/x size=1Gi").contains("not both"));
        assert!(told("image=x shards=2 volume=v secret=s3").contains("bucket is missing"));
    }

    #[test]
    fn names_of_sweeps_become_names_of_jobs() {
        assert_eq!(job_name("Triton Threshold (v2)").ok().as_deref(), Some("triton-threshold--v2"));
        assert_eq!(job_name(&format!("12 {}", "x".repeat(80))).ok().map(|name| name.len()), Some(NAME_MAX));
        assert!(job_name("42").is_err());
    }
}
