//! A short, fixed portion of what `cargo run --release --example mutate` does for as long as one likes.

#[path = "../../examples/mutate/readers.rs"]
mod readers;

use readers::{Dice, readers};

#[test]
fn damaged_inputs_of_every_kind_are_taken_or_refused_and_never_panic() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for reader in readers(folder.path()) {
        assert!((reader.read)(&reader.good), "{}: the good input is refused", reader.name);
        let mut dice = Dice::new(1);
        let taken = (0..150).filter(|_| (reader.read)(&dice.damage(&reader.good))).count();
        assert!(taken < 150, "{}: damage does nothing", reader.name);
    }
}
