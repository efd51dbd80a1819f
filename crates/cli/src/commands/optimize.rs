//! `scalelab optimize`: the cheapest settings that meet conditions, or the value at which they break.

use std::path::Path;

use lab::columns::{Column, Unit};
use lab::design::Setting;
use lab::gates::{self, Gate, figure};
use lab::optimize::{self, Candidate, Cliff, Found, Search};
use lab::{Progress, TrialError, Trials, Workers};
use report::{AxisUnit, SearchAxis, SearchPoint, SearchReport, Standing, Table, shell_word};

use crate::args::{Format, Optimize};
use crate::failure::{Failure, OrEnvironment, Outcome, Result};
use crate::grid::Grid;
use crate::interrupt::raise_on_interrupt;
use crate::progress::Bar;
use crate::question::scenario_words;
use crate::results::column;
use crate::searching::{
    REPLICATIONS_LEAST, column_title, conditions, standing, trial_failure, tried, verdict, with_interval,
};
use crate::tuning::{Range, Tuned, assignments, ranges};

/// Most values a cliff is bisected to.
const CLIFF_STEPS_MAX: usize = 12;

/// Searches, confirms with fresh seeds, prints. Exit code 1 if nothing was found that meets the conditions for certain.
pub fn optimize(args: &Optimize) -> Result<Outcome> {
    let minimize = column("--minimize", &args.minimize)?;
    let over = match &args.cliff {
        Some(cliff) => ranges("--cliff", std::slice::from_ref(cliff))?,
        None => ranges("--over", &args.over)?,
    };
    let tuned = Tuned::read(&args.scenario)?;
    let policy = tuned.policy(args.policy.as_deref(), &over)?;
    let conditions = conditions(&args.subject_to, &tuned, &policy)?;
    if args.runs == 0 {
        return Err(Failure::input("--runs 0: a search needs at least one run"));
    }
    tuned.check_ranges(&over)?;
    if !args.work.quiet {
        crate::inputs::print_notes(&tuned.loaded, args.scenario.reading.verbose);
    }
    let workers = Workers::new(args.work.jobs).or_environment("starting threads")?;
    raise_on_interrupt(workers.stop_flag()).or_environment("listening for interrupts")?;
    let bar = Bar::new(&tuned.loaded.spec.name, args.work.quiet);
    let progress = |progress: Progress| bar.show(progress);
    let scenarios = tuned.scenarios();
    let seed = args.work.seed.unwrap_or(tuned.loaded.seed);
    let trials = Trials { workers: &workers, scenarios: &scenarios, policy: Some(&policy), seed, progress: &progress };
    let replications = tuned.replications(args.replications, REPLICATIONS_LEAST);
    if args.cliff.is_some() {
        let (parameter, dimension) = &over[0];
        let cliff = optimize::find_cliff(&trials, (parameter, dimension), &conditions, replications, CLIFF_STEPS_MAX);
        bar.finish();
        return tell_cliff(args, &cliff.map_err(trial_failure)?, (&conditions, &over[0], &policy));
    }
    let search = Search { minimize, subject_to: conditions, over, runs_max: args.runs, replications };
    let found = optimize::optimize(&search, &trials);
    bar.finish();
    tell(args, &search, &found, &policy)
}

fn tell(args: &Optimize, search: &Search, found: &Found, policy: &str) -> Result<Outcome> {
    if found.tried.is_empty() {
        return Err(match found.failures.first() {
            Some(error) if !found.is_interrupted => Failure::input(error),
            _ => trial_failure(TrialError::Stopped),
        });
    }
    if let Some(folder) = &args.out {
        let path = folder.join("tried.csv");
        let table = tried(search, found).to_csv();
        report::write_atomically(&path, &table).or_environment(&format!("writing {}", path.display()))?;
        show(folder, (search, found), (policy, args))?;
    }
    if !args.work.quiet {
        outln!("{policy}: {} settings tried in {} runs; what nothing beats:\n", found.tried.len(), found.runs);
        out!("{}", front(search, found).render(Format::Table));
        outln!("\n{}", verdict(search, found));
        for error in found.failures.iter().take(3) {
            eprintln!("note: left out: {error}");
        }
    }
    if found.is_interrupted {
        return Err(Failure::Environment(anyhow::anyhow!("interrupted: the best so far is not confirmed")));
    }
    Ok(if found.winner.is_some() { Outcome::Done } else { Outcome::GateFailed })
}

fn front(search: &Search, found: &Found) -> Grid {
    let names = search.over.iter().map(|(parameter, _)| parameter.name.as_str());
    let columns: Vec<String> = search.subject_to.iter().map(column_title).collect();
    let columns = columns.iter().map(String::as_str);
    let head: Vec<&str> = names.chain([search.minimize.name]).chain(columns).chain(["runs", "conditions"]).collect();
    let mut grid = Grid::new(&head, 0);
    for candidate in found.front(search) {
        let mut cells: Vec<String> = candidate.settings.iter().map(|setting| setting.value.text.clone()).collect();
        cells.push(figure(search.minimize.unit, candidate.objective.mean));
        let measures = search.subject_to.iter().zip(&candidate.measures);
        cells.extend(measures.map(|(gate, measure)| figure(gate.condition.column.unit, measure.mean)));
        cells.push(candidate.replications.len().to_string());
        cells.push(standing(candidate).to_owned());
        grid.row(cells);
    }
    grid
}

/// `front.svg`, `front.png` and `report.html`: everything tried, what nothing beats with its intervals, and the winner with fresh seeds.
fn show(folder: &Path, (search, found): (&Search, &Found), (policy, args): (&str, &Optimize)) -> Result<()> {
    let gate = &search.subject_to[0];
    let condition = &gate.condition;
    let titles = [search.minimize.name.to_owned(), column_title(gate)];
    let front = found.front(search);
    let texts = |candidate: &Candidate| -> Vec<String> {
        candidate.settings.iter().map(|setting| setting.value.text.clone()).collect()
    };
    let settings: Vec<Vec<String>> = found.tried.iter().map(texts).collect();
    let points: Vec<SearchPoint<'_>> = found.tried.iter().zip(&settings).map(|one| point(one, &front)).collect();
    let winner = found.winner.as_ref().and(found.confirmation.as_ref());
    let of_winner = winner.map(texts);
    let axis = |title, column: &'static Column| SearchAxis {
        title,
        unit: match column.unit {
            Unit::Dollars => AxisUnit::Dollars,
            Unit::Share => AxisUnit::Share,
            _ => AxisUnit::Plain,
        },
    };
    let parameters: Vec<String> = search.over.iter().map(|(parameter, _)| parameter.name.clone()).collect();
    let scenario = scenario_words(&args.scenario.scenario, &args.scenario.set, args.scenario.reading.plain);
    let command = winner.map(|winner| {
        format!("scalelab run {scenario} --policy {} {}", shell_word(policy), assignments(&winner.settings))
    });
    let findings: Vec<String> = verdict(search, found).lines().map(str::to_owned).collect();
    let report = SearchReport {
        name: policy,
        objective: axis(&titles[0], search.minimize),
        measure: axis(&titles[1], condition.column),
        limit: (optimize::limit(condition), &gate.to_string()),
        parameters: &parameters,
        points: &points,
        confirmed: winner.zip(of_winner.as_ref()).map(|one| point(one, &front)),
        findings: &findings,
        command: command.as_deref(),
    };
    let drawing = report::search_front(&report);
    let files = [
        ("front.svg".to_owned(), drawing.to_svg().into_bytes()),
        ("front.png".to_owned(), drawing.to_png()),
        ("report.html".to_owned(), report::search_html(&report, drawing)),
    ];
    report::write_all(folder, &files).or_environment(&format!("writing {}", folder.display()))
}

/// A candidate as the plot and the page take it.
fn point<'a>((candidate, settings): (&Candidate, &'a Vec<String>), front: &[&Candidate]) -> SearchPoint<'a> {
    SearchPoint {
        settings,
        objective: candidate.objective,
        measure: candidate.measures[0],
        standing: match (candidate.is_certain(), candidate.is_feasible()) {
            (true, _) => Standing::Holds,
            (false, true) => Standing::Met,
            (false, false) => Standing::Missed,
        },
        is_front: front.iter().any(|other| std::ptr::eq(*other, candidate)),
    }
}

fn tell_cliff(args: &Optimize, cliff: &Cliff, (conditions, range, policy): (&[Gate], &Range, &str)) -> Result<Outcome> {
    let holds = cliff.holds_up_to.is_some();
    if !args.work.quiet {
        let columns: Vec<String> = conditions.iter().map(column_title).collect();
        let columns = columns.iter().map(String::as_str);
        let head: Vec<&str> = [range.0.name.as_str()].into_iter().chain(columns).chain(["conditions"]).collect();
        let mut grid = Grid::new(&head, 0);
        let mut steps: Vec<_> = cliff.steps.iter().collect();
        steps.sort_by(|a, b| a.value.number.total_cmp(&b.value.number));
        for step in steps {
            let measures = conditions.iter().zip(&step.measures);
            let mut cells = vec![step.value.text.clone()];
            cells.extend(measures.map(|(gate, measure)| with_interval(gate.condition.column, *measure)));
            cells.push(step.outcome.name().to_owned());
            grid.row(cells);
        }
        out!("{policy}\n\n{}\n", grid.render(Format::Table));
        let at =
            |value: &lab::design::Value| assignments(&[Setting { parameter: range.0.clone(), value: value.clone() }]);
        outln!(
            "{}",
            match (&cliff.holds_up_to, &cliff.breaks_from) {
                (Some(last), Some(first)) =>
                    format!("holds up to {}; no longer for certain from {}", at(last), at(first)),
                (Some(last), None) => format!("holds all the way to {}", at(last)),
                (None, _) => "does not hold for certain even at the lower end".to_owned(),
            }
        );
    }
    if let Some(folder) = &args.out {
        let steps = &cliff.steps;
        let mut table = Table::default().text(&range.0.name, steps.iter().map(|step| &step.value.text));
        for (index, gate) in conditions.iter().enumerate() {
            table = table.number(&column_title(gate), steps.iter().map(|step| step.measures[index].mean));
        }
        table = table.text("conditions", steps.iter().map(|step| gates::Outcome::name(step.outcome)));
        let path = folder.join("cliff.csv");
        report::write_atomically(&path, &table.to_csv()).or_environment(&format!("writing {}", path.display()))?;
    }
    Ok(if holds { Outcome::Done } else { Outcome::GateFailed })
}
