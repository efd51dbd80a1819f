//! Readers of what the program has written: journals, `run.json`, folders of results.

use std::path::Path;
use std::time::Duration;

use cli::run_file::RunFile;
use cli::simulation::{Effort, Watch, simulate};
use cli::{results, run_file, run_report};
use cluster::Pulse;
use lab::Workers;
use lab::sweep::JOURNAL_NAME;
use scenario::{Documents, Input, Loaded, NoFiles};

use super::Reader;

/// The journal of a sweep without runs: its lines are looked at one by one, and the header decides most.
pub fn journal(own: &Path) -> Reader {
    let header = "{\"scalelab_sweep\":1,\"name\":\"s\",\"fingerprint\":7,\"points\":2,\"policies\":[\"a\"],\"replications\":2,\
                  \"parameters\":[[\"x\",\"y.x\"]],\"columns\":[\"requests\",\"cost_usd\"]}\n";
    let line = |point: u32, replication: u32| {
        format!(
            "{{\"point\":{point},\"settings\":[\"1\"],\"policy\":\"a\",\"replication\":{replication},\"seed\":1,\"digest\":2,\
             \"slo_met\":3,\"slo_total\":4,\"values\":[5.0,null]}}\n"
        )
    };
    let own = own.to_owned();
    Reader::new("journal", header.to_owned() + &line(0, 0) + &line(0, 1) + &line(1, 0), move |bytes| {
        std::fs::write(own.join(JOURNAL_NAME), bytes).expect("a writable folder");
        // What reads it goes on to make tables and a page of it.
        lab::sweep::read(&own).is_ok_and(|results| !results.table().is_empty())
    })
}

/// `run.json`, through to the scenario it repeats.
pub fn run_json(own: &Path) -> Reader {
    let good = with_run(|file, _| file.to_json().expect("JSON"));
    let path = own.join("run.json");
    Reader::new("run-json", good, move |bytes| {
        std::fs::write(&path, bytes).expect("a writable folder");
        RunFile::read(&path).and_then(|file| file.reload()).is_ok()
    })
}

/// The replications of a folder of results, which baselines and differences are taken from.
pub fn result_folder(own: &Path) -> Reader {
    let (good, summary) = with_run(|_, tables| (table(tables, "replications"), table(tables, "summary")));
    std::fs::write(own.join("summary.csv"), summary).expect("a writable folder");
    let own = own.to_owned();
    Reader::new("result-folder", good, move |bytes| {
        std::fs::write(own.join("replications.csv"), bytes).expect("a writable folder");
        results::runs(&own).is_ok()
    })
}

type Tables = [(String, Vec<u8>)];

fn table(tables: &Tables, name: &str) -> Vec<u8> {
    let name = format!("{name}.csv");
    tables.iter().find(|(found, _)| *found == name).expect("a run has this table").1.clone()
}

/// Ten minutes of the built-in scenario, twice each policy.
fn with_run<T>(with: impl FnOnce(&RunFile, &Tables) -> T) -> T {
    let documents = Documents::read(&Input::embedded_default(), std::sync::Arc::new(NoFiles)).expect("is built in");
    let short = ("run.duration".to_owned(), "10m".to_owned());
    let loaded: Loaded = documents.load(&[short]).expect("is built in");
    let effort = Effort { seed: loaded.seed, replications: 2, precision: None };
    let workers = Workers::new(None).expect("threads");
    let watch = Watch { progress: &|_| (), pulse: &Pulse::default(), saved: None, stops_within_runs: false };
    let (results, _) = simulate(&effort, &loaded, &workers, watch).expect("is built in");
    let file = run_file::describe(&loaded, &results, (loaded.seed, 1, Duration::ZERO), None);
    let origin = run_report::Origin { file: &file, scenario: None };
    run_report::with_report(&loaded, &results, origin, |report| with(&file, &report::table_files(report)))
}
