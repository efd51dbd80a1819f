//! Replications in a file, as words of eight bytes: another rule of intervals is judged by the same runs, without running them again.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Result, Write as _};
use std::path::Path;

use lab::columns::COLUMNS;
use lab::experiment::{Replication, Tally};
use record::Histogram;

/// What was kept there of two policies, if all of it is.
pub(crate) fn read(path: &Path, replications: usize) -> Option<[Vec<Replication>; 2]> {
    let mut reader = Words(BufReader::new(File::open(path).ok()?));
    let mut both = [Vec::new(), Vec::new()];
    for policy in &mut both {
        let name: Vec<u64> = reader.list().ok()?;
        let name = String::from_utf8(name.iter().map(|&byte| byte as u8).collect()).ok()?;
        for _ in 0..replications {
            let mut one = reader.replication().ok()?;
            one.summary.policy.clone_from(&name);
            policy.push(one);
        }
    }
    Some(both)
}

/// Keeps them.
pub(crate) fn write(path: &Path, policies: [&[Replication]; 2]) -> Result<()> {
    let mut writer = BufWriter::new(File::create(path)?);
    for policy in policies {
        put(&mut writer, policy[0].summary.policy.bytes().map(u64::from).collect())?;
        for one in policy {
            write_one(&mut writer, one)?;
        }
    }
    writer.flush()
}

fn write_one(writer: &mut BufWriter<File>, one: &Replication) -> Result<()> {
    let mut words: Vec<u64> = COLUMNS.iter().map(|column| column.of(&one.summary).to_bits()).collect();
    words.extend([one.slo.met, one.slo.total]);
    for sum in [one.latency_ns_sum, one.wait_ns_sum, one.token_ns_sums.0, one.token_ns_sums.1] {
        words.extend([sum as u64, (sum >> 64) as u64]);
    }
    words.push(u64::from(one.is_watched));
    put(writer, words)?;
    put(writer, one.cold_start_ns.clone())?;
    for tally in [Some(&one.latency), one.ttft.as_ref(), one.tpot.as_ref()] {
        let mut histogram = Histogram::new();
        if let Some(tally) = tally {
            tally.add_to(&mut histogram);
        }
        let buckets = histogram.buckets().flat_map(|(value, count)| [value, count]);
        put(writer, std::iter::once(u64::from(tally.is_some())).chain(buckets).collect())?;
    }
    Ok(())
}

/// A list with its length before it.
fn put(writer: &mut BufWriter<File>, words: Vec<u64>) -> Result<()> {
    let all = std::iter::once(words.len() as u64).chain(words);
    all.map(u64::to_le_bytes).try_for_each(|word| writer.write_all(&word))
}

struct Words(BufReader<File>);

impl Words {
    fn word(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        self.0.read_exact(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn list(&mut self) -> Result<Vec<u64>> {
        let length = self.word()?;
        (0..length).map(|_| self.word()).collect()
    }

    fn replication(&mut self) -> Result<Replication> {
        let words = self.list()?;
        let mut one = Replication::default();
        for (column, &bits) in COLUMNS.iter().zip(&words) {
            column.set(&mut one.summary, f64::from_bits(bits));
        }
        let rest = &words[COLUMNS.len()..];
        let sum = |index: usize| u128::from(rest[index]) | u128::from(rest[index + 1]) << 64;
        (one.slo.met, one.slo.total) = (rest[0], rest[1]);
        (one.latency_ns_sum, one.wait_ns_sum, one.token_ns_sums) = (sum(2), sum(4), (sum(6), sum(8)));
        one.is_watched = rest[10] == 1;
        one.cold_start_ns = self.list()?;
        let mut tallies = [None, None, None];
        for tally in &mut tallies {
            let words = self.list()?;
            let mut histogram = Histogram::new();
            words[1..].chunks_exact(2).for_each(|bucket| histogram.record_many(bucket[0], bucket[1]));
            *tally = (words[0] == 1).then(|| Tally::of(&histogram));
        }
        let [latency, ttft, tpot] = tallies;
        (one.latency, one.ttft, one.tpot) = (latency.unwrap_or_default(), ttft, tpot);
        Ok(one)
    }
}
