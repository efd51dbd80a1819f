//! Series as they would be stored for one pod: what rules are held against before anything runs.

use exporters::{Facts, Target, Template, Variable};
use promql::labels::METRIC_NAME;
use promql::rules::RuleGroup;
use promql::{Labels, ScrapeTarget};

/// Two made-up pods of a workload: what holds for both, with the parts that differ put back as variables, holds for all of them.
const SAMPLES: [[(Variable, &str); 13]; 2] = [
    [
        (Variable::Pod, "WORKLOAD-7d9c5b6f48-x2k4q"),
        (Variable::ReplicaSet, "WORKLOAD-7d9c5b6f48"),
        (Variable::PodIp, "10.41.7.203"),
        (Variable::PodUid, "0b5a1c9e-6a53-4f0e-9d0b-5c1f7e2a8d34"),
        (Variable::Node, "sample-node-a-4f7z"),
        (Variable::NodeIp, "10.8.61.17"),
        (Variable::ExporterPod, "exporter-k7x2p"),
        (Variable::GpuUuid, "GPU-3f8a91d2-77c4-4b0e-a6d1-52e9c07b4f18"),
        (Variable::GpuModel, "NVIDIA Sample GPU A"),
        (Variable::HolderPod, "WORKLOAD-7d9c5b6f48-x2k4q"),
        (Variable::HolderNamespace, "namespace-of-holder-a"),
        (Variable::HolderContainer, "container-of-holder-a"),
        (Variable::Gpu, "gpu-index-a"),
    ],
    [
        (Variable::Pod, "WORKLOAD-6bdf8479cc-n9wtv"),
        (Variable::ReplicaSet, "WORKLOAD-6bdf8479cc"),
        (Variable::PodIp, "10.52.130.6"),
        (Variable::PodUid, "f3d27e60-1b8c-4a97-8e45-a90c3b6d71e2"),
        (Variable::Node, "other-pool-b-9qks"),
        (Variable::NodeIp, "10.9.4.250"),
        (Variable::ExporterPod, "exporter-zq9wd"),
        (Variable::GpuUuid, "GPU-c1e05b7f-0d36-49f8-8b2a-9a7d64e3f250"),
        (Variable::GpuModel, "NVIDIA Sample GPU B"),
        (Variable::HolderPod, "WORKLOAD-6bdf8479cc-n9wtv"),
        (Variable::HolderNamespace, "namespace-of-holder-b"),
        (Variable::HolderContainer, "container-of-holder-b"),
        (Variable::Gpu, "gpu-index-b"),
    ],
];

/// A text with its variables filled as for one of the made-up pods (0 or 1).
pub(super) fn filled(text: &str, workload: &str, sample: usize) -> String {
    Template::new(text).fill(|variable| {
        let found = SAMPLES[sample].iter().find(|(known, _)| *known == variable);
        found.map_or_else(String::new, |(_, text)| text.replace("WORKLOAD", workload))
    })
}

/// The text of made-up pod 0 with its variables put back.
pub(super) fn unfilled(text: &str, workload: &str) -> String {
    SAMPLES[0].iter().fold(text.to_owned(), |text, (variable, sample)| {
        let word = Variable::ALL.iter().find(|(_, known)| known == variable).map_or("", |(word, _)| *word);
        text.replace(&sample.replace("WORKLOAD", workload), &format!("{{{word}}}"))
    })
}

/// The label sets that scrapes of these targets store, for one pod, node and GPU.
pub(super) fn scraped(targets: &[Target], facts: &Facts) -> Vec<Labels> {
    let mut all = Vec::new();
    for target in targets {
        // Whoever holds a GPU here is a pod of the service.
        let fill = |text: &str| {
            let held =
                text.replace("{holder_namespace}", &facts.namespace).replace("{holder_container}", &facts.container);
            filled(&held, &facts.workload, 0)
        };
        let own = target.labels.iter().map(|label| (label.name.clone(), fill(label.value.text())));
        let scrape = ScrapeTarget {
            honor_labels: target.honor_labels,
            metric_relabelings: target.metric_relabelings.clone(),
            ..ScrapeTarget::new(Labels::new(own), 1, 0)
        };
        all.push(scrape.up_labels());
        for series in &target.series {
            let shown = series.labels.iter().map(|label| (label.name.clone(), fill(label.value.text())));
            let shown = Labels::new(shown.chain([(METRIC_NAME.to_owned(), series.name.clone())]));
            all.extend(scrape.stored_labels(&shown));
        }
    }
    all
}

/// The label sets that recording rules can store, out of those of other series. A rule may read one that comes after it.
pub(super) fn recorded(groups: &[RuleGroup], series: &[Labels]) -> Vec<Labels> {
    let mut all = series.to_vec();
    loop {
        let before = all.len();
        for rule in groups.iter().flat_map(RuleGroup::rules) {
            for labels in rule.query().possible_labels(&all) {
                let stored = rule.stored_labels(&labels);
                if !all.contains(&stored) {
                    all.push(stored);
                }
            }
        }
        // Rules that read their own results could go on for ever, adding a label each time; no real one does.
        if all.len() == before || all.len() > 10 * series.len() + 1_000 {
            return all.split_off(series.len());
        }
    }
}
