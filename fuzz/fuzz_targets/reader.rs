//! One reader, named as this target is, given what libFuzzer makes of its good input: a panic is a defect, and so is a second spent on one input.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use testkit::readers::{self, Reader};

/// A folder of this process: its files are the reader's.
static FOLDER: OnceLock<TempDir> = OnceLock::new();

thread_local! {
    static READER: Reader = readers::reader(env!("CARGO_BIN_NAME"), FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder")).path())
        .expect("every target is named as a reader is");
}

fuzz_target!(|bytes: &[u8]| {
    READER.with(|reader| (reader.read)(bytes));
});
