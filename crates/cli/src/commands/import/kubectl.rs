//! `scalelab import kubectl`: what `kubectl get … -o json` prints, into files or when it is run from here, as a scenario. Objects are manifests, as `init` takes them; pods, events and
//! nodes say how pods started, as `calibrate cold-start` takes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::args::{ImportKubectl, Init};
use crate::commands::data_files::wrong;
use crate::commands::init;
use crate::commands::read_text;
use crate::failure::{Failure, OrEnvironment, Outcome, Result};

/// Kinds that say what was, not what shall be.
const MEASURED: [&str; 3] = ["Pod", "Event", "Node"];
/// Seed of the intervals in the comments.
const SEED: u64 = 1;

/// What the files hold.
#[derive(Default)]
struct Export {
    /// Files with manifests.
    manifests: Vec<PathBuf>,
    /// Kinds in them that are none.
    ignored: BTreeSet<String>,
    pods: Vec<Value>,
    others: Vec<Value>,
}

/// Reads, splits, writes the folder whole or not at all.
pub fn kubectl(args: &ImportKubectl) -> Result<Outcome> {
    if args.making.out.exists() {
        let reason = "exists already; `import` never overwrites: name a folder that does not exist";
        return Err(Failure::input(format!("{}: {reason}", args.making.out.display())));
    }
    // Standard input is read once and looked at twice.
    let kept = tempfile::tempdir().or_environment("making a temporary folder")?;
    let mut export = Export::default();
    if args.run {
        export.take(super::run_kubectl::items(&args.cluster)?, kept.path())?;
    }
    for path in &args.files {
        export.read(path, kept.path())?;
    }
    if export.manifests.is_empty() && args.run {
        let whose = args
            .cluster
            .namespace
            .as_ref()
            .map_or("the context's namespace".to_owned(), |name| format!("namespace {name}"));
        return Err(Failure::input(format!(
            "{whose} shows no objects to make a scenario of: --namespace NAME names another"
        )));
    }
    if export.manifests.is_empty() {
        let reason = "no objects to make a scenario of, but for pods, events and nodes: add deployments and what scales them (`kubectl get deploy,hpa -o json`)";
        return Err(Failure::input(reason));
    }
    let as_init = Init {
        manifests: export.manifests.clone(),
        workload: args.workload.iter().cloned().collect(),
        ignore: export.ignored.iter().cloned().collect(),
        traffic: args.traffic.clone(),
        making: args.making.clone(),
    };
    init::with_cold_start(&as_init, |service| export.cold_start(service))
}

impl Export {
    /// What a kubectl of our own has printed. Pods, which hold more than a scenario needs, go into no file.
    fn take(&mut self, items: Vec<Value>, kept: &Path) -> Result<()> {
        let mut objects = Vec::new();
        for item in items {
            match item.get("kind").and_then(Value::as_str) {
                Some("Pod") => self.pods.push(item),
                Some("Event" | "Node") => self.others.push(item),
                _ => objects.push(item),
            }
        }
        if objects.is_empty() {
            return Ok(());
        }
        let file = kept.join("cluster.json");
        let document = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        std::fs::write(&file, format!("{document:#}\n")).or_environment("keeping what kubectl printed")?;
        self.manifests.push(file);
        Ok(())
    }

    fn read(&mut self, path: &Path, kept: &Path) -> Result<()> {
        let text = read_text(path)?;
        let document: Value = serde_json::from_str(&text)
            .map_err(|error| wrong(path, format!("not the output of `kubectl get … -o json`: {error}")))?;
        if document.get("kind").and_then(Value::as_str) == Some("Status") {
            let said = document.get("message").and_then(Value::as_str).unwrap_or("it does not say why");
            let reason = "is what an API server answers when it refuses, and holds no objects";
            return Err(wrong(path, format!("{reason} ({}); ask kubectl again", super::one_line(said))));
        }
        let items = match document.get("items") {
            Some(Value::Array(items)) => items.clone(),
            Some(Value::Null) => Vec::new(),
            _ => vec![document],
        };
        let mut has_manifests = false;
        let mut measured = BTreeSet::new();
        for item in items {
            let kind = item.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
            if !MEASURED.contains(&kind.as_str()) {
                has_manifests = true;
                continue;
            }
            if kind == "Pod" {
                self.pods.push(item);
            } else {
                self.others.push(item);
            }
            measured.insert(kind);
        }
        if !has_manifests {
            return Ok(());
        }
        let is_file = path != Path::new("-");
        let file = if is_file { path.to_owned() } else { kept.join("kubectl.json") };
        if !is_file {
            std::fs::write(&file, &text).or_environment("keeping standard input")?;
        }
        self.ignored.append(&mut measured);
        self.manifests.push(file);
        Ok(())
    }

    /// `coldStart` and `nodes.timings` of the service's pods, as far as they show; the second is empty where nothing does.
    fn cold_start(&self, service: &str) -> Option<(String, String)> {
        let is_ours = |pod: &&Value| {
            let name = pod.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            name.strip_prefix(service).is_some_and(|rest| rest.starts_with('-'))
        };
        let ours: Vec<&Value> = self.pods.iter().filter(is_ours).collect();
        if ours.is_empty() {
            eprintln!("note: no pods of {service} in the files: coldStart is a guess");
            return None;
        }
        let document = json!({"kind": "List", "items": ours.into_iter().chain(&self.others).collect::<Vec<_>>()});
        let fit = match calibrate::cold_start(&[&document.to_string()], SEED) {
            Ok(fit) => fit,
            Err(error) => {
                eprintln!("note: coldStart is a guess: {error}");
                return None;
            }
        };
        fit.notes.iter().for_each(|note| eprintln!("note: cold start: {note}"));
        if !fit.unused.is_empty() {
            eprintln!(
                "note: cold start: {} measurements could not be used; `scalelab calibrate cold-start` says why",
                fit.unused.len()
            );
        }
        let text = fit.yaml();
        let (timings, phases) = text.split_at(text.find("coldStart:").unwrap_or(text.len()));
        if phases.is_empty() {
            eprintln!("note: no phase of a cold start could be measured: coldStart is a guess");
            return None;
        }
        let indented = |text: &str| text.lines().map(|line| format!("  {line}\n")).collect::<String>();
        let head = "  # Measured by `scalelab calibrate cold-start` of the pods in the export; what is not here is the default.\n";
        let timings = timings.lines().skip(1).map(|line| format!("  {line}\n")).collect();
        Some((format!("{head}{}", indented(phases)), timings))
    }
}
