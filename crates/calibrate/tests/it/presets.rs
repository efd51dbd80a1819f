//! Are the presets usable as they are?

use calibrate::{preset, presets};

#[test]
fn every_preset_has_a_phase_a_source_and_its_own_name() {
    for one in presets() {
        assert!(one.phases().iter().any(|(_, phase)| phase.is_some()), "{}", one.name);
        for phase in one.phases().iter().filter_map(|(_, phase)| *phase) {
            assert!(phase.distribution().validate().is_ok() && !phase.source.is_empty(), "{}: {phase:?}", one.name);
        }
        assert_eq!(presets().iter().filter(|other| other.name == one.name).count(), 1, "{}", one.name);
    }
}

#[test]
fn a_preset_is_written_with_its_sources() {
    let yaml = preset("vllm-8b-h100").unwrap().yaml();
    let values: Vec<&str> = yaml.lines().map(|line| line.split(" #").next().unwrap()).collect();
    assert_eq!(
        values,
        [
            "coldStart:",
            "  imagePull: 130.8s",
            "  modelDownload: 0s",
            "  gpuLoad: {logNormal: {p50: 4.507s, p90: 5.295s}}",
            "  cudaWarmUp: 39.34s"
        ]
    );
}
