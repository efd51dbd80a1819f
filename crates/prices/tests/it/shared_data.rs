//! Do real files read? They are not part of the repository: `SCALELAB_SHARED` names their folder, by default `../shared` beside it.

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use prices::{Advisor, SpotPriceHistory, availability_bamboo, availability_skypilot};

/// The text of a file, unpacked if it is gzip; `None`, said aloud, if it is not there.
fn shared(path: &str) -> Option<String> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let file = std::env::var_os("SCALELAB_SHARED").map_or_else(beside, PathBuf::from).join(path);
    let Ok(bytes) = fs::read(&file) else {
        println!("skipped: {} is not here", file.display());
        return None;
    };
    let mut text = String::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text).unwrap();
    } else {
        text = String::from_utf8(bytes).unwrap();
    }
    Some(text)
}

#[test]
fn the_sample_price_history_reads() {
    let Some(text) = shared("data/samples/aws_describe_spot_price_history.json") else { return };
    let history = SpotPriceHistory::parse(&[&text]).unwrap();
    assert_eq!(history.series.len(), 9);
    assert_eq!(history.find("use1-az2", "p4d.24xlarge", "Linux/UNIX").unwrap().points[0].1.as_micros(), 6_532_300);
}

#[test]
fn the_spot_advisor_reads() {
    let Some(text) = shared("data/prices/aws_spot_advisor_2025-07.json.gz") else { return };
    let entry = Advisor::parse(&text).unwrap().find("us-east-1", "Linux", "p4d.24xlarge").unwrap();
    assert_eq!((entry.bucket, entry.saving_percent), (2, 67));
}

#[test]
fn recorded_availability_reads_in_all_its_layouts() {
    let preemption = "data/spot/skypilot/preemption/1-node/aws-04-22-2023/us-west-2b_v100_1.json.gz";
    if let Some(text) = shared(preemption) {
        let trace = availability_skypilot("us-west-2b", &text).unwrap();
        // 15,825 of 19,961 ticks of 32 s with the node held.
        assert!((trace.node_hours() - 15_825.0 * 32.0 / 3_600.0).abs() < 1e-6);
    }
    for name in ["g4dn-trace.csv", "p3-trace.csv", "a100x1-east1b.txt", "v100x1-east1c.txt"] {
        let Some(text) = shared(&format!("data/spot/bamboo/{name}")) else { return };
        let trace = availability_bamboo("zone", &text).unwrap();
        assert!(trace.steps.len() > 10 && trace.node_hours() > 1.0, "{name}: {trace:?}");
    }
}
