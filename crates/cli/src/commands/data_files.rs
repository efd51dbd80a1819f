//! Files of the data commands: whole, packed or not, and never half-written.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::failure::{Failure, OrEnvironment, Result};

/// The text of a file, unpacked if it is gzip whatever its name; `-` is standard input.
pub fn read_text(path: &Path) -> Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).or_environment("reading standard input")?;
    } else {
        bytes = std::fs::read(path).map_err(|error| wrong(path, format!("cannot be read: {error}")))?;
    }
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut unpacked = Vec::new();
        let mut decoder = MultiGzDecoder::new(bytes.as_slice());
        decoder.read_to_end(&mut unpacked).map_err(|error| wrong(path, format!("cannot be unpacked: {error}")))?;
        bytes = unpacked;
    }
    String::from_utf8(bytes).map_err(|_| wrong(path, "is not UTF-8 text"))
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
    report::write_atomically(path, &bytes).or_environment(&format!("writing {}", path.display()))
}

/// Prints to standard output. A reader that has seen enough (`| head`) is no failure.
pub fn say(text: &str) -> Result<()> {
    let mut output = std::io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
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
    Failure::input(format!("{}: {reason}", path.display()))
}

/// File name without folders.
pub fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}
