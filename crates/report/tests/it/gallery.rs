//! Everything a run writes, for looking at: set `SCALELAB_GALLERY` to a folder to get the files.

use std::path::Path;

use crate::fixture::{FIVE, day};

#[test]
fn every_artifact_can_be_made_and_looked_at() {
    let day = day(&FIVE);
    let policies = day.outcomes();
    let report = day.report(&policies);
    let started = std::time::Instant::now();
    let files = report::files(&report);
    println!("{} files in {:?}", files.len(), started.elapsed());
    for (name, bytes) in &files {
        println!("{name} {}", bytes.len());
    }
    println!(
        "{}",
        report::render(
            &report,
            report::Format::Table,
            report::TerminalStyle { color: true, unicode: true, width: Some(110) }
        )
    );
    println!("{}", report::render(&report, report::Format::Markdown, report::TerminalStyle::PLAIN));
    match std::env::var("SCALELAB_GALLERY") {
        Ok(folder) => report::write_all(Path::new(&folder), &files).unwrap(),
        Err(_) => println!("skipped writing: SCALELAB_GALLERY is not set"),
    }
    assert_eq!(files.last().map(|file| file.0.as_str()), Some("report.html"));
}
