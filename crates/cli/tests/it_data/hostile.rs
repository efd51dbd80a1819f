//! Data files that are damaged, without end, exchanged or given on standard input: a message and an exit code, whatever they hold.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use scenario::file::{TraceFile, TraceFormat};
use traces::FileTrace;
use workload::{Stream, TraceChunk, TraceSource};

use super::support::{Lab, Ran};

/// Runs the program with something on standard input.
fn piped(lab: &Lab, line: &str, input: &str) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
    command.args(line.split_whitespace()).current_dir(lab.path(".")).stdin(Stdio::piped());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("the program ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A trace of so many requests, a hundredth of a second apart.
fn trace(rows: u32) -> String {
    let row = |index: u32| format!("{}.{:02},{},7\n", index / 100, index % 100, index % 50 + 1);
    "arrival_s,prompt_tokens,output_tokens\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

#[test]
fn a_trace_that_changes_while_it_is_read_ends_the_command_with_exit_code_3() {
    for name in ["t.csv", "t.parquet"] {
        let lab = Lab::new();
        lab.write("t.csv", &trace(150_000));
        if name == "t.parquet" {
            lab.out("trace convert t.csv t.parquet");
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
        command.args(["trace", "convert", name, "-", "--no-cache"]).current_dir(lab.path("."));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let mut output = child.stdout.take().expect("a pipe");
        // Its first words: from here on it waits for a reader, in the middle of the file.
        output.read_exact(&mut [0; 1]).expect("something comes");
        let text = std::fs::read(lab.path(name)).expect("the trace");
        let other: Vec<u8> = text.iter().map(|byte| if *byte == b'7' { b'8' } else { *byte }).collect();
        std::fs::write(lab.path(name), other).expect("a writable file");
        output.read_to_end(&mut Vec::new()).expect("its output");
        let ended = child.wait_with_output().expect("the program ends");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(3), "{said}");
        assert!(said.starts_with(&format!("error: {name}: changed during the run (")), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn damaged_parquet_is_refused_or_read_and_never_panics() {
    let lab = Lab::new();
    lab.write("t.csv", &trace(600));
    lab.out("trace convert t.csv t.parquet");
    let whole = std::fs::read(lab.path("t.parquet")).expect("the trace");
    let mut dice = Stream::new(7, workload::Purpose::Arrivals, 0);
    let mut draw = |below: usize| (dice.next_u64() % below as u64) as usize;
    let file = lab.path("broken.parquet");
    let key = TraceFile { file: file.display().to_string(), format: TraceFormat::Auto, columns: None, resample: false };
    let (mut refused, mut panicked) = (0, Vec::new());
    for case in 0..1_500 {
        let mut bytes = whole.clone();
        for _ in 0..=draw(3) {
            let at = draw(bytes.len());
            match draw(3) {
                0 => bytes[at] = draw(256) as u8,
                1 => bytes[at] ^= 1 << draw(8),
                _ => drop(bytes.splice(at..(at + draw(8)).min(bytes.len()), [0xff; 2])),
            }
        }
        std::fs::write(&file, bytes).expect("a writable file");
        // A file just written is looked at again after a moment, 1,500 times.
        let written = std::fs::File::options().write(true).open(&file).expect("the file");
        written.set_modified(std::time::UNIX_EPOCH).expect("a file has a time");
        let read = std::panic::catch_unwind(|| match FileTrace::load(&file, &key) {
            Err(_) => true,
            Ok(trace) => {
                let (mut reader, mut chunk) = (trace.open(), TraceChunk::default());
                while reader.next_chunk(&mut chunk) {}
                false
            }
        });
        match read {
            Ok(is_refused) => refused += usize::from(is_refused),
            Err(_) => panicked.push(case),
        }
    }
    assert_eq!(panicked, Vec::<i32>::new());
    assert!((100..1_500).contains(&refused), "{refused} of 1500 refused: the damage is too little or too much");
}

#[test]
fn what_has_no_end_is_refused_in_bounded_memory() {
    let lab = Lab::new();
    lab.write("line.csv", &("arrival\n".to_owned() + &"1".repeat(3 << 20)));
    let said = lab.refused("trace inspect line.csv");
    assert!(said.contains("line.csv:2: the line is longer than 1 MiB"), "{said}");
    lab.write("header.csv", &("arrival,".to_owned() + &"x".repeat(3 << 20) + "\n1,2\n"));
    let said = lab.refused("trace inspect header.csv");
    assert!(said.contains("header.csv:1: the line is longer than 1 MiB") && said.len() < 500, "{said}");
    lab.write("cell.csv", &("arrival\n".to_owned() + &"x".repeat(1 << 19) + "\n"));
    let said = lab.refused("trace inspect cell.csv");
    assert!(
        said.contains("cell.csv:2: arrival `xxxx") && said.contains("` is not a time") && said.len() < 500,
        "{said}"
    );
    #[cfg(unix)]
    for line in ["trace inspect /dev/zero", "run /dev/zero", "sweep /dev/zero -o o"] {
        let said = lab.refused(line);
        assert!(said.contains("/dev/zero: "), "{line}: {said}");
    }
}

#[test]
fn files_that_are_no_plain_text_say_what_they_are() {
    let lab = Lab::new();
    let wide: Vec<u8> = "\u{feff}arrival\n1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(lab.path("wide.csv"), wide).expect("a writable folder");
    assert!(lab.refused("trace inspect wide.csv").contains("wide.csv: cannot be read: is UTF-16, which"), "UTF-16");
    lab.write("empty.csv", "");
    assert!(lab.refused("trace inspect empty.csv").contains("empty.csv: is empty"), "empty");
    lab.write("quoted.csv", "note,arrival\n\"two\nlines\",1\n");
    let said = lab.refused("trace inspect quoted.csv");
    assert!(said.contains("quoted.csv:2: a quote is opened and not closed in this line"), "{said}");
}

#[test]
fn dates_that_no_calendar_has_are_refused_with_their_line() {
    let lab = Lab::new();
    for date in ["2026-02-30", "2026-02-31", "2026-04-31", "2100-02-29"] {
        lab.write("t.csv", &format!("TIMESTAMP,ContextTokens,GeneratedTokens\n{date} 00:00:00,1,1\n"));
        let said = lab.refused("trace inspect t.csv");
        assert!(said.contains(&format!("t.csv:2: arrival `{date} 00:00:00` is not a time")), "{said}");
    }
}

#[test]
fn a_hyphen_is_standard_input_or_output_wherever_a_file_is_meant() {
    let lab = Lab::new();
    let text = trace(2_000);
    let shown = piped(&lab, "trace inspect -", &text);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.starts_with("file           (standard input)\n") && shown.stdout.contains("2000"));
    lab.write("t.csv", &text);
    assert!(piped(&lab, "trace convert - -", &text).stdout == lab.out("trace convert t.csv -"));
    assert_eq!(piped(&lab, "trace fit -", &text).stdout.lines().nth(2), lab.out("trace fit t.csv").lines().nth(2));
    let said = piped(&lab, "trace inspect -", "arrival\nx\n").stderr;
    assert!(said.contains("(standard input):2: arrival `x` is not a time"), "{said}");
    let names = lab.names();
    assert!(names.iter().all(|name| name != "-") && names.len() <= 2, "{names:?}");
}
