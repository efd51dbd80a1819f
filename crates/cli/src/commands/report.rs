//! `scalelab report`: a run's HTML page, made anew from its run.json.

use std::num::NonZeroUsize;

use cluster::Keep;
use lab::Workers;
use lab::experiment::{self, Plan};

use super::run::with_report;
use crate::args::Report;
use crate::failure::{OrEnvironment, Outcome, Result};
use crate::progress::Bar;
use crate::run_file::RunFile;

/// Repeats the run, which is cheaper than storing all a page can show, and writes the page.
pub fn report(args: &Report) -> Result<Outcome> {
    let file = RunFile::read(&args.dir)?;
    let loaded = file.reload()?;
    let workers = Workers::new(NonZeroUsize::new(file.jobs)).or_environment("starting threads")?;
    let bar = Bar::new(&file.scenario, false);
    let progress = |progress| bar.show(progress);
    let plan = Plan {
        policies: loaded.spec.policies.len(),
        replications: file.replications,
        seed: file.seed,
        keep: Keep { tables: true, requests: false },
        progress: &progress,
    };
    let results = experiment::run(&workers, &plan, &experiment::simulator(&loaded.spec));
    bar.finish();
    let page = with_report(&loaded, &results, report::report_html);
    let out = args.out.clone().unwrap_or_else(|| args.dir.join("report.html"));
    report::write_atomically(&out, &page).or_environment(&format!("writing {}", out.display()))?;
    println!("{}", out.display());
    Ok(Outcome::Done)
}
