//! Kills commands in the middle of their work and starts them again: `cargo run --release --example kills -- KILLS [SEED]` does so as many times
//! and prints the second half of `results/robustness.md`. It needs the program beside it (`cargo build --release`), and `kill`.

mod folder;
mod works;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use folder::Folder;
use workload::{Purpose, Stream};
use works::{Desk, Work};

/// A command that has not ended so long after its signal hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What ends a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    Interrupt,
    Terminate,
    Kill,
}

impl Signal {
    const ALL: [Self; 3] = [Self::Interrupt, Self::Terminate, Self::Kill];

    const fn flag(self) -> &'static str {
        match self {
            Self::Interrupt => "-INT",
            Self::Terminate => "-TERM",
            Self::Kill => "-KILL",
        }
    }
}

/// What became of the trials of one work.
#[derive(Default)]
struct Count {
    /// Signals that reached a command that was still at work, by [`Signal::ALL`].
    hits: [u64; 3],
    /// The command was done before.
    late: u64,
    failures: u64,
}

/// The command of a work, whole, which the others are held against.
struct Whole {
    /// What was there before.
    before: Folder,
    folder: Folder,
    took: Duration,
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("KILLS [SEED]"));
    let (kills, seed) = (arguments.next().unwrap_or(70), arguments.next().unwrap_or(1));
    let program = program();
    let mut dice = Stream::new(seed, Purpose::Arrivals, 0);
    let works = works::works();
    println!(
        "\n## Kills\n\nMade by `cargo run --release --example kills -- {kills} {seed}`: each command was sent a signal at a random moment of its work. A file with its\n\
         final name must then be whole (after SIGKILL the very file of the undisturbed command or of the run that was there before, and beside a `run.json` all of the same),\n\
         the exit code 3, or 0 where everything was done, and the next start must\n\
         leave the very files of the undisturbed command: no row lost or twice, no file of the killed one, no temporary file.\n\n\
         | command | SIGINT | SIGTERM | SIGKILL | was done before | went wrong |\n| --- | ---: | ---: | ---: | ---: | ---: |"
    );
    let mut all = Count::default();
    for (number, work) in works.iter().enumerate() {
        let desk = Desk::of(work, &program);
        let whole = whole(&program, work, &desk);
        let share = kills / works.len() as u64 + u64::from((number as u64) < kills % works.len() as u64);
        let mut count = Count::default();
        while count.hits.iter().sum::<u64>() < share {
            let signal = Signal::ALL[(dice.next_u64() % 3) as usize];
            let moment = whole.took.mul_f64((dice.next_u64() % 1_000) as f64 / 1_000.0);
            match trial(&program, (work, &desk), &whole, (signal, moment)) {
                Ok(true) => count.hits[signal as usize] += 1,
                Ok(false) => count.late += 1,
                Err(what) => {
                    count.hits[signal as usize] += 1;
                    count.failures += 1;
                    eprintln!("{}: {} after {} ms: {what}", work.name, signal.flag(), moment.as_millis());
                }
            }
        }
        println!("{}", line(work.name, &count));
        all.hits.iter_mut().zip(count.hits).for_each(|(all, hits)| *all += hits);
        all.late += count.late;
        all.failures += count.failures;
    }
    println!("{}", line("**all**", &all));
    std::process::exit(i32::from(all.failures > 0));
}

/// The program that cargo built beside this example.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let program = own.ancestors().nth(2).expect("examples lie in a folder of the target").join("scalelab");
    assert!(program.is_file(), "{}: build it first", program.display());
    program
}

fn whole(program: &Path, work: &Work, desk: &Desk) -> Whole {
    let mut took = Duration::MAX;
    let (mut before, mut folder) = (None, None);
    // Twice: the first start also reads everything from the disk.
    for _ in 0..2 {
        desk.clear();
        before = Some(Folder::read(&desk.path().join(work.output)));
        let begun = Instant::now();
        let status = command(program, &desk.path(), work.command).status().expect("the program starts");
        took = took.min(begun.elapsed());
        assert!(status.success(), "{}: {status}", work.name);
        folder = Some(Folder::read(&desk.path().join(work.output)));
    }
    Whole { before: before.expect("two starts"), folder: folder.expect("two starts"), took }
}

/// Whether the signal found the command at work; what is wrong with it or with what it left.
fn trial(
    program: &Path,
    (work, desk): (&Work, &Desk),
    whole: &Whole,
    (signal, moment): (Signal, Duration),
) -> Result<bool, String> {
    desk.clear();
    let mut child = command(program, &desk.path(), work.command).spawn().expect("the program starts");
    std::thread::sleep(moment);
    let is_at_work = child.try_wait().expect("a child of this process").is_none();
    if is_at_work {
        let sent = Command::new("kill").args([signal.flag(), &child.id().to_string()]).status();
        assert!(sent.expect("there is a `kill`").success(), "a process that nobody waited for is there");
    }
    let status = ended(&mut child)?;
    let output = desk.path().join(work.output);
    let left = Folder::read(&output);
    match (signal, status.code()) {
        // All of it was done, by then or because nothing was left to begin.
        (_, Some(0)) => left.is_same_as(&whole.folder).map_err(|what| format!("exit code 0: {what}"))?,
        (Signal::Kill, None) => {
            left.is_of([&whole.folder, &whole.before]).map_err(|what| format!("half-written: {what}"))?;
        }
        // Before the command has set what it does at signals there is nothing to lose.
        (Signal::Interrupt | Signal::Terminate, Some(3) | None) => {}
        (_, code) => return Err(format!("ended with {code:?}")),
    }
    if left.is_same_as(&whole.folder).is_ok() {
        return Ok(is_at_work);
    }
    let again = if output.join("sweep.json").exists() { work.again } else { work.command };
    let status = command(program, &desk.path(), again).status().expect("the program starts");
    if !status.success() {
        return Err(format!("the next start ended with {status}"));
    }
    Folder::read(&output).is_same_as(&whole.folder).map_err(|what| format!("after the next start: {what}"))?;
    Ok(is_at_work)
}

fn command(program: &Path, desk: &Path, words: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(desk).args(words.split_whitespace().map(|word| word.replace('~', " ")));
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn ended(child: &mut Child) -> Result<ExitStatus, String> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().expect("a child of this process") {
            return Ok(status);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(child.kill());
    Err("hangs".to_owned())
}

fn line(name: &str, count: &Count) -> String {
    let Count { hits: [interrupt, terminate, kill], late, failures } = count;
    format!("| {name} | {interrupt} | {terminate} | {kill} | {late} | {failures} |")
}
