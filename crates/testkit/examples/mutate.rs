//! Damages every kind of input at random and counts what the readers make of it: `cargo run --release --example mutate -- SECONDS [SEED]`
//! gives each reader so many seconds and prints `results/robustness.md`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use testkit::dice::Dice;
use testkit::readers::{self, Reader};

/// From here on an input is called slow.
const SLOW: Duration = Duration::from_secs(1);

/// What became of the inputs of a reader.
#[derive(Default)]
struct Count {
    inputs: u64,
    taken: u64,
    panics: u64,
    slow: u64,
    longest: Duration,
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("SECONDS [SEED]"));
    let (seconds, seed) = (arguments.next().unwrap_or(10), arguments.next().unwrap_or(1));
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!(
        "# Robustness\n\nMade by `cargo run --release --example mutate -- {seconds} {seed}`: inputs that were good, damaged in one to four places by dice of that\n\
         seed, given to the readers (`crates/testkit/src/readers`) in one process. Taken is what the damage left valid; the others are refused with a\n\
         message. A folder is one text of thirteen files, damaged names and all. Where a damaged copy of\n\
         a parsed trace changes the answer, or a fit gives what is no number, that would count as a panic. Counts depend on how\n\
         fast the machine is; the order of inputs does not.\n\n\
         | input | tried | taken | refused | panics | over 1 s | longest | per second |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    let mut all = Count::default();
    for reader in readers::names().filter_map(|name| readers::reader(name, folder.path())) {
        let (count, first) = tried(&reader, Duration::from_secs(seconds), seed);
        println!("{}", line(&reader.name, &count, seconds));
        if let Some(input) = first {
            eprintln!("{}: first input that panics:\n{}", reader.name, String::from_utf8_lossy(&input));
        }
        all.inputs += count.inputs;
        all.taken += count.taken;
        all.panics += count.panics;
        all.slow += count.slow;
        all.longest = all.longest.max(count.longest);
    }
    println!("{}", line("**all**", &all, seconds));
}

/// Damaged inputs for as long as it may take, and the first that panics.
fn tried(reader: &Reader, length: Duration, seed: u64) -> (Count, Option<Vec<u8>>) {
    assert!((reader.read)(&reader.good), "{}: the good input is refused", reader.name);
    let (mut count, mut dice, mut first) = (Count::default(), Dice::new(seed), None);
    let begun = Instant::now();
    while begun.elapsed() < length {
        let input = dice.damage(&reader.good);
        let begin = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| (reader.read)(&input)));
        let took = begin.elapsed();
        count.inputs += 1;
        count.slow += u64::from(took >= SLOW);
        count.longest = count.longest.max(took);
        if let Ok(is_taken) = answer {
            count.taken += u64::from(is_taken);
        } else {
            count.panics += 1;
            first.get_or_insert(input);
        }
    }
    (count, first)
}

fn line(name: &str, count: &Count, seconds: u64) -> String {
    let Count { inputs, taken, panics, slow, longest } = count;
    let refused = inputs - taken - panics;
    let rate = if name.starts_with('*') { String::new() } else { (inputs / seconds.max(1)).to_string() };
    format!("| {name} | {inputs} | {taken} | {refused} | {panics} | {slow} | {} ms | {rate} |", longest.as_millis())
}
