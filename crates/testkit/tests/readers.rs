//! A short, fixed portion of what `cargo run --release --example mutate` does for as long as one likes.

use testkit::dice::Dice;
use testkit::readers;

#[test]
fn damaged_inputs_of_every_kind_are_taken_or_refused_and_never_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for reader in readers::names().filter_map(|name| readers::reader(name, folder.path())) {
        assert!((reader.read)(&reader.good), "{}: the good input is refused", reader.name);
        let mut dice = Dice::new(1);
        let taken = (0..100).filter(|_| (reader.read)(&dice.damage(&reader.good))).count();
        assert!(taken < 100, "{}: damage does nothing", reader.name);
    }
}

#[test]
fn every_reader_has_a_fuzz_target() {
    let manifest = include_str!("../../../fuzz/Cargo.toml");
    let targets = manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|rest| rest.split('"').next());
    assert_eq!(targets.collect::<Vec<_>>(), readers::names().collect::<Vec<_>>());
}
