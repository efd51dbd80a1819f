//! Queries held against what a scenario shows, from its files on.

use std::path::Path;

use scenario::Input;

use crate::support::repository;

/// The YAML files of a folder.
fn files(folder: &Path) -> Vec<(String, String)> {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<(String, String)> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

/// What loading says if `file` has this text instead of its own.
fn refusal(folder: &Path, files: &[(String, String)], file: &str, text: &str) -> Option<String> {
    let text_of = |(name, own): &(String, String)| if name == file { text.to_owned() } else { own.clone() };
    let inputs: Vec<Input> =
        files.iter().map(|entry| Input::Text { name: entry.0.clone(), text: text_of(entry) }).collect();
    let documents = traces::read(&inputs).unwrap().in_folder(folder);
    documents.load(&[]).err().map(|error| error.to_string())
}

#[test]
fn a_letter_missing_from_any_metric_of_a_shipped_trigger_is_refused_with_the_right_name() {
    let mut tried = 0;
    for folder in ["triton-day", "llm-hour", "spot-day", "bench-day"] {
        let folder = repository("scenarios").join(folder);
        let files = files(&folder);
        for (file, text) in files.iter().filter(|(_, text)| text.contains("kind: ScaledObject")) {
            let known = exporters::catalogue::all().flat_map(|(_, metric)| metric.series_names());
            for name in known.filter(|name| text.contains(&format!("({name}{{")) || text.contains(&format!("({name}[")))
            {
                let mut slip = name.clone();
                slip.remove(name.len() / 2);
                let said = refusal(&folder, &files, file, &text.replace(&name, &slip));
                let said = said.unwrap_or_else(|| panic!("{slip} in {file} is accepted"));
                assert!(said.contains(file) && said.contains(&format!("nearest: {name} ")), "{said}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 6, "{tried}");
}

/// Targets of the metrics of the user's own.
fn own_targets(series: &str) -> Vec<exporters::Target> {
    let text = format!("{}  metrics:\n    series:\n    - {series}\n", crate::support::SCENARIO);
    let targets = crate::support::load_text(&text).unwrap().spec.services[0].targets.clone();
    targets.into_iter().filter(|target| target.exporter == exporters::Exporter::User).collect()
}

#[test]
fn a_metric_of_ones_own_says_where_when_and_how_late_it_is_seen() {
    let one = |series: &str| {
        let target = own_targets(series).remove(0);
        let of = format!("{:?} {:?}", target.of, target.series[0].appears);
        (of, target.delay.as_secs(), target.interval.as_secs())
    };
    assert_eq!(one("{name: depth, from: queue_length}"), ("Gateway WithProcess".to_owned(), 0, 15));
    assert_eq!(
        one("{name: depth, from: queue_length, delay: 40s, while: ready, interval: 30s}"),
        ("Gateway WhileReady".to_owned(), 40, 30)
    );
    let on_nodes = own_targets("{name: busy, from: pod_in_flight, at: node, while: first}").remove(0);
    assert_eq!(on_nodes.of, exporters::TargetOf::Node);
    assert_eq!(on_nodes.series[0].appears, exporters::Appears::FirstEvent);
    assert!(on_nodes.labels.iter().any(|label| label.value.text() == "{node}"), "{:?}", on_nodes.labels);
}
