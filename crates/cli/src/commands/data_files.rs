//! Files of the data commands: whole, packed or not, and never half-written.

use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::failure::{Failure, OrEnvironment, Result};
use crate::inputs::STANDARD_INPUT;

/// Largest input that is read whole, unpacked, in bytes: the machine's memory is not the sender's to take.
const INPUT_BYTES_MAX: u64 = 1 << 30;

/// The text of a file, unpacked if it is gzip whatever its name; `-` is standard input.
pub fn read_text(path: &Path) -> Result<String> {
    let mut bytes = if path == Path::new("-") {
        bounded(path, std::io::stdin().lock()).or_environment("reading standard input")??
    } else {
        let read = std::fs::File::open(path).and_then(|file| bounded(path, file));
        read.map_err(|error| wrong(path, format!("cannot be read: {error}")))??
    };
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let unpacked = bounded(path, MultiGzDecoder::new(bytes.as_slice()));
        bytes = unpacked.map_err(|error| wrong(path, format!("cannot be unpacked: {error}")))??;
    }
    String::from_utf8(bytes).map_err(|error| match error.as_bytes() {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => wrong(
            path,
            "is UTF-16, which `>` of older PowerShells writes; `Get-Content FILE | Set-Content -Encoding utf8 NEW` makes it UTF-8",
        ),
        _ => wrong(path, "is not UTF-8 text"),
    })
}

/// All bytes of an input, or that they are too many.
fn bounded(path: &Path, input: impl Read) -> std::io::Result<Result<Vec<u8>>> {
    let mut bytes = Vec::new();
    input.take(INPUT_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    let is_whole = bytes.len() as u64 <= INPUT_BYTES_MAX;
    let too_many =
        || wrong(path, format!("holds more than {} MiB, unpacked, which is not read", INPUT_BYTES_MAX >> 20));
    Ok(if is_whole { Ok(bytes) } else { Err(too_many()) })
}

/// Writes a file whole or not at all, packed if its name ends in `.gz`; `-` is standard output.
pub fn write(path: &Path, text: &str) -> Result<()> {
    if path == Path::new("-") {
        return say(text);
    }
    let bytes = if path.extension().is_some_and(|ending| ending == "gz") {
        // Neither name nor time goes into the file, so that equal text makes equal bytes.
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish()).or_environment("packing")?
    } else {
        text.as_bytes().to_vec()
    };
    write_bytes(path, &bytes)
}

/// Writes a file whole or not at all, as it is; `-` is standard output.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    if path == Path::new("-") {
        return say_bytes(bytes);
    }
    report::write_atomically(path, bytes).or_environment(&format!("writing {}", path.display()))
}

/// Whether one of these outputs is standard output, where words for people would then be in the way. Two cannot be.
pub fn is_standard_output(outputs: &[Option<&PathBuf>]) -> Result<bool> {
    match outputs.iter().flatten().filter(|path| path.as_os_str() == "-").count() {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Failure::input("`-` is standard output and takes one of the outputs, not several")),
    }
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no failure.
pub fn say(text: &str) -> Result<()> {
    say_bytes(text.as_bytes())
}

fn say_bytes(bytes: &[u8]) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).or_environment("printing"),
        _ => Ok(()),
    }
}

/// What `out!` and `outln!` do: the same for commands that are done but for what they print.
pub fn shown(text: std::fmt::Arguments<'_>) {
    let mut output = std::io::stdout().lock();
    let failed = output.write_fmt(text).and_then(|()| output.flush()).err();
    if let Some(error) = failed.filter(|error| error.kind() != ErrorKind::BrokenPipe) {
        eprintln!("error: printing: {error}");
        std::process::exit(3);
    }
}

/// A mistake in a file.
pub fn wrong(path: &Path, reason: impl std::fmt::Display) -> Failure {
    if path.as_os_str() == "-" {
        return Failure::input(format!("{STANDARD_INPUT}: {reason}"));
    }
    Failure::input(format!("{}: {reason}", path.display()))
}

/// File name without folders.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
