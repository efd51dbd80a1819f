//! The scenario that is built in, so that a first run needs no files.

/// File names and texts of `scenarios/triton-day`.
pub fn embedded_default() -> Vec<(&'static str, &'static str)> {
    macro_rules! shipped {
        ($($name:literal),*) => {
            vec![$(($name, include_str!(concat!("../triton-day/", $name)))),*]
        };
    }
    shipped![
        "scenario.yaml",
        "deployment.yaml",
        "hpa.yaml",
        "hpa-corrected.yaml",
        "scaledobject.yaml",
        "prometheus-adapter-config.yaml",
        "prometheus-adapter-corrected.yaml",
        "pdb.yaml"
    ]
}
