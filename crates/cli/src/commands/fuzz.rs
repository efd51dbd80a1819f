//! `scalelab fuzz`: random worlds, each in a process of its own, and what must hold in them.

use std::process::Command;
use std::time::Instant;

use lab::experiment::replication_seed;
use lab::fuzz::{check, world};
use scenario::{Input, Loaded};

use crate::args::Fuzz;
use crate::failure::{OrEnvironment, Outcome, Result};

/// One world after another until there have been enough, or the one that is asked for. Exit code 1 if something does not hold.
pub fn fuzz(args: &Fuzz) -> Result<Outcome> {
    match args.world {
        Some(number) => Ok(one(args.seed, number)),
        None => many(args),
    }
}

fn many(args: &Fuzz) -> Result<Outcome> {
    let begun = Instant::now();
    let program = std::env::current_exe().or_environment("finding this program")?;
    let (mut tried, mut broken) = (0, 0);
    loop {
        let is_over = match (args.worlds, args.time) {
            (Some(worlds), _) => tried >= worlds,
            (None, Some(time)) => begun.elapsed() >= time,
            (None, None) => tried >= 20,
        };
        if is_over {
            break;
        }
        let arguments = ["fuzz", "--seed", &args.seed.to_string(), "--world", &tried.to_string()];
        // A panic of the model ends the process it is in.
        let done = Command::new(&program).args(arguments).output().or_environment("starting a world")?;
        if !done.status.success() {
            broken += 1;
            let path = args.out.join(format!("fuzz-{}-{tried}.yaml", args.seed));
            let text = world(replication_seed(args.seed, tried));
            report::write_atomically(&path, text.as_bytes()).or_environment(&format!("writing {}", path.display()))?;
            let said = String::from_utf8_lossy(&done.stderr);
            let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).take(3).collect();
            outln!("world {tried}: {}\n  {}\n  scalelab run {}", done.status, lines.join("\n  "), path.display());
        }
        tried += 1;
    }
    outln!("{tried} worlds from seed {}, {broken} in which something does not hold", args.seed);
    Ok(if broken == 0 { Outcome::Done } else { Outcome::GateFailed })
}

fn one(seed: u64, number: u32) -> Outcome {
    let seed = replication_seed(seed, number);
    let text = world(seed);
    let held = load(&text).and_then(|loaded| {
        let digests = check(&loaded.spec, seed)?;
        // As `run --from` reads it back.
        let documents = loaded.documents.as_array().into_iter().flatten().map(ToString::to_string);
        let again = load(&documents.collect::<Vec<_>>().join("\n---\n"))?;
        let repeated = check(&again.spec, seed)?;
        if repeated == digests { Ok(()) } else { Err("its own documents make another run of it".to_owned()) }
    });
    if let Err(what) = held {
        eprint_line(&what);
        return Outcome::GateFailed;
    }
    Outcome::Done
}

fn load(text: &str) -> std::result::Result<Loaded, String> {
    let input = Input::Text { name: "world".to_owned(), text: text.to_owned() };
    traces::read(&[input]).and_then(|documents| documents.load(&[])).map_err(|error| error.to_string())
}

/// What does not hold, to standard error; a reader that is gone is no failure of its own.
fn eprint_line(what: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{what}");
}
