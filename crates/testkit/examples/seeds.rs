//! Writes the good input of every reader to a folder of its name: `cargo run --release --example seeds -- fuzz/corpus`.

use std::path::PathBuf;

use testkit::readers;

fn main() {
    let out = PathBuf::from(std::env::args_os().nth(1).expect("FOLDER"));
    let own = tempfile::tempdir().expect("a temporary folder");
    for reader in readers::names().filter_map(|name| readers::reader(name, own.path())) {
        let folder = out.join(&reader.name);
        std::fs::create_dir_all(&folder).expect("a writable folder");
        std::fs::write(folder.join("good"), &reader.good).expect("a writable folder");
    }
}
