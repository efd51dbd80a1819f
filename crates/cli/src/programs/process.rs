//! A program as a decider: one observation a line in, one answer a line out.

use std::io::{BufRead, BufReader, Read, Write};
use std::panic::resume_unwind;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use policy::external::{Decider, Deciders, RunIdentity, Sight, Wish};
use scenario::Program;

use super::ProgramFailure;
use super::wire::{answer, observation};

/// Longest answer that is read.
const LINE_MAX: u64 = 65_536;
/// How much of what it says on standard error is kept: the last of it.
const WORDS_MAX: usize = 2_000;
/// How long a program may take to end after its input has.
const GRACE: Duration = Duration::from_millis(200);

/// Starts a program for every run.
#[derive(Debug)]
pub struct Commands {
    program: Arc<Program>,
}

impl Commands {
    /// Starts this one.
    pub fn new(program: Program) -> Self {
        Self { program: Arc::new(program) }
    }
}

impl Deciders for Commands {
    fn start(&self, run: RunIdentity) -> Box<dyn Decider> {
        match Process::start(&self.program, run) {
            Ok(process) => Box::new(process),
            Err(failure) => resume_unwind(Box::new(failure)),
        }
    }
}

/// A program that has been started.
struct Process {
    program: Arc<Program>,
    seed: u64,
    child: Child,
    /// `None` once its input was ended.
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    words: Arc<Mutex<Vec<u8>>>,
    answers: u64,
}

impl Process {
    fn start(program: &Arc<Program>, run: RunIdentity) -> Result<Self, ProgramFailure> {
        let folder = if program.folder.as_os_str().is_empty() { ".".as_ref() } else { program.folder.as_path() };
        let mut command = Command::new(&program.command[0]);
        command.args(&program.command[1..]).current_dir(folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| ProgramFailure {
            message: format!("policy {}: `{}` cannot be started: {error}", program.policy, program.command.join(" ")),
            is_input: true,
        })?;
        let input = child.stdin.take();
        let (output, errors) = (child.stdout.take(), child.stderr.take());
        let (said, lines) = channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(output.expect("its output is a pipe"));
            loop {
                let mut line = Vec::new();
                match reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut line) {
                    Ok(read) if read > 0 && said.send(String::from_utf8_lossy(&line).into_owned()).is_ok() => {}
                    _ => return,
                }
            }
        });
        let words = Arc::<Mutex<Vec<u8>>>::default();
        let kept = Arc::clone(&words);
        thread::spawn(move || {
            let mut reader = errors.expect("its errors are a pipe");
            let mut part = [0; 1_024];
            while let Ok(read @ 1..) = reader.read(&mut part) {
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                kept.extend_from_slice(&part[..read]);
                let excess = kept.len().saturating_sub(WORDS_MAX);
                kept.drain(..excess);
            }
        });
        Ok(Self { program: Arc::clone(program), seed: run.seed, child, input, lines, words, answers: 0 })
    }

    fn ask(&mut self, sight: &Sight<'_>) -> Result<Wish, ProgramFailure> {
        if let Ok(line) = self.lines.try_recv() {
            return Err(self.failure(true, &format!("said `{}` without being asked", line.trim_end())));
        }
        let question = format!("{}\n", observation(sight, self.seed));
        let input = self.input.as_mut().expect("its input is open until it is dropped");
        // A program that has ended takes nothing; why it did shows when its answer is missing.
        let _ = input.write_all(question.as_bytes()).and_then(|()| input.flush());
        match self.lines.recv_timeout(self.program.timeout) {
            Ok(line) => {
                self.answers += 1;
                answer(&line).map_err(|why| self.failure(true, &format!("answered `{}`: {why}", line.trim_end())))
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = self.child.kill();
                Err(self.failure(false, &format!("gave no answer within {:?}", self.program.timeout)))
            }
            Err(RecvTimeoutError::Disconnected) => {
                let how = self
                    .ended(GRACE)
                    .map_or_else(|| "closed its output".to_owned(), |status| format!("ended ({status})"));
                Err(self.failure(false, &how))
            }
        }
    }

    /// How it ended, if it does so in time.
    fn ended(&mut self, within: Duration) -> Option<ExitStatus> {
        let begun = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) if begun.elapsed() < within => thread::sleep(Duration::from_millis(2)),
                _ => return None,
            }
        }
    }

    /// What it did, after how many answers, and the last it said on standard error.
    fn failure(&self, is_input: bool, what: &str) -> ProgramFailure {
        // The reader of its errors may be a moment behind.
        thread::sleep(Duration::from_millis(20));
        let words = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let words = String::from_utf8_lossy(&words);
        let said = if words.trim().is_empty() { String::new() } else { format!("; it said:\n{}", words.trim_end()) };
        let Program { policy, command, .. } = &*self.program;
        ProgramFailure {
            message: format!(
                "policy {policy}: `{}` {what}, after {} answers in this run{said}",
                command.join(" "),
                self.answers
            ),
            is_input,
        }
    }
}

impl Decider for Process {
    fn decide(&mut self, sight: &Sight<'_>) -> Wish {
        match self.ask(sight) {
            Ok(wish) => wish,
            Err(failure) => resume_unwind(Box::new(failure)),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The end of its input is the end of the run.
        self.input = None;
        if self.ended(GRACE).is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
