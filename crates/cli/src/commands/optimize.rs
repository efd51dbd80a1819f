//! `scalelab optimize`: the cheapest settings that meet conditions, or the value at which they break.

use std::path::Path;

use lab::columns::{Column, Unit};
use lab::design::Setting;
use lab::gates::{self, Gate, figure};
use lab::optimize::{self, Candidate, Cliff, Found, Search};
use lab::{Progress, TrialError, Trials, Workers};
use record::Interval;
use report::{AxisUnit, SearchAxis, SearchPoint, SearchReport, Standing, Table, shell_word};

use crate::args::{Format, Optimize};
use crate::failure::{Failure, OrEnvironment, Outcome, Result};
use crate::grid::Grid;
use crate::interrupt::raise_on_interrupt;
use crate::progress::Bar;
use crate::question::scenario_words;
use crate::results::column;
use crate::tuning::{Range, Tuned, assignments, ranges};

/// Most values a cliff is bisected to.
const CLIFF_STEPS_MAX: usize = 12;
/// Replications below which an interval says little.
const REPLICATIONS_LEAST: u32 = 5;

/// Searches, confirms with fresh seeds, prints. Exit code 1 if nothing was found that meets the conditions for certain.
pub fn optimize(args: &Optimize) -> Result<Outcome> {
    let minimize = column("--minimize", &args.minimize)?;
    let over = match &args.cliff {
        Some(cliff) => ranges("--cliff", std::slice::from_ref(cliff))?,
        None => ranges("--over", &args.over)?,
    };
    let tuned = Tuned::read(&args.scenario)?;
    let policy = tuned.policy(args.policy.as_deref(), &over)?;
    let conditions = conditions(args, &tuned, &policy)?;
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
        return tell_cliff(args, &cliff.map_err(failure)?, (&conditions, &over[0], &policy));
    }
    let search = Search { minimize, subject_to: conditions, over, runs_max: args.runs, replications };
    let found = optimize::optimize(&search, &trials);
    bar.finish();
    tell(args, &search, &found, &policy)
}

/// Those given, or else the gates of the scenario that are about the policy.
fn conditions(args: &Optimize, tuned: &Tuned, policy: &str) -> Result<Vec<Gate>> {
    let texts = if args.subject_to.is_empty() { &tuned.loaded.gates } else { &args.subject_to };
    let names: Vec<&str> = tuned.loaded.spec.policies.iter().map(|policy| policy.name.as_str()).collect();
    let services: Vec<&str> = tuned.loaded.spec.services.iter().map(|service| service.name.as_str()).collect();
    let mut conditions = Vec::new();
    for text in texts {
        let wrong = |problem: String| Failure::input(format!("--subject-to `{text}`: {problem}"));
        let gate = Gate::parse(text).and_then(|gate| gate.named(&names, &services));
        let gate = gate.map_err(|error| wrong(error.to_string()))?;
        if gate.needs_baseline() {
            return Err(wrong("a search knows no baseline; give a figure".to_owned()));
        }
        if gate.policy.as_deref().is_none_or(|name| name == policy) {
            // The policy is that of the search and goes without saying.
            conditions.push(Gate { policy: None, ..gate });
        }
    }
    if conditions.is_empty() {
        return Err(Failure::input(
            "nothing must hold, so the answer would be to serve nobody: give --subject-to, such as 'slo_attainment >= 0.99'",
        ));
    }
    Ok(conditions)
}

fn failure(error: TrialError) -> Failure {
    match error {
        TrialError::Stopped => Failure::Environment(anyhow::anyhow!("interrupted before there was an answer")),
        error @ TrialError::Scenario { .. } => Failure::input(error),
    }
}

fn tell(args: &Optimize, search: &Search, found: &Found, policy: &str) -> Result<Outcome> {
    if found.tried.is_empty() {
        return Err(match found.failures.first() {
            Some(error) if !found.is_interrupted => Failure::input(error),
            _ => failure(TrialError::Stopped),
        });
    }
    if let Some(folder) = &args.out {
        write(folder, search, found)?;
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

/// The column that a condition is about, with its service if it is about one.
fn column_title(gate: &Gate) -> String {
    gate.subject_of(gate.condition.column.name)
}

/// What the data say of the conditions at a candidate.
fn standing(candidate: &Candidate) -> &'static str {
    match (candidate.is_certain(), candidate.is_feasible()) {
        (true, _) => "hold",
        (false, true) => "met, not certain",
        (false, false) => "missed",
    }
}

fn verdict(search: &Search, found: &Found) -> String {
    let Some((winner, confirmation)) = found.winner.as_ref().zip(found.confirmation.as_ref()) else {
        return if found.tried.iter().any(Candidate::is_feasible) {
            format!(
                "nothing confirmed: {} settings met the conditions and fell with fresh seeds; more replications or runs may tell",
                found.refused.len()
            )
        } else {
            "nothing meets the conditions in these ranges".to_owned()
        };
    };
    let measures = search.subject_to.iter().zip(&confirmation.measures);
    let conditions: Vec<String> =
        measures.map(|(gate, measure)| format!("{gate}: {}", with_interval(gate.condition.column, *measure))).collect();
    format!(
        "best: {}\nconfirmed with {} fresh seeds: {} {}\n{}",
        assignments(&winner.settings),
        confirmation.replications.len(),
        search.minimize.name,
        with_interval(search.minimize, confirmation.objective),
        conditions.join("\n"),
    )
}

fn with_interval(column: &Column, interval: Interval) -> String {
    let shown = |value| figure(column.unit, value);
    if interval.low.is_nan() {
        return shown(interval.mean);
    }
    format!("{} ({} to {})", shown(interval.mean), shown(interval.low), shown(interval.high))
}

/// `tried.csv`: everything tried, best first.
fn write(folder: &Path, search: &Search, found: &Found) -> Result<()> {
    let tried = &found.tried;
    let mut table = Table::default();
    for (index, (parameter, _)) in search.over.iter().enumerate() {
        table = table.text(&parameter.name, tried.iter().map(|candidate| &candidate.settings[index].value.text));
    }
    let bounds = |table: Table, name: &str, pick: &dyn Fn(&Candidate) -> Interval| {
        table
            .number(name, tried.iter().map(|candidate| pick(candidate).mean))
            .number(&format!("{name}_ci_low"), tried.iter().map(|candidate| pick(candidate).low))
            .number(&format!("{name}_ci_high"), tried.iter().map(|candidate| pick(candidate).high))
    };
    table = bounds(table, search.minimize.name, &|candidate| candidate.objective);
    let mut named = vec![search.minimize.name.to_owned()];
    for (index, gate) in search.subject_to.iter().enumerate() {
        // Two conditions on one column are one column of the table.
        let title = column_title(gate);
        if !named.contains(&title) {
            table = bounds(table, &title, &|candidate| candidate.measures[index]);
            named.push(title);
        }
    }
    table = table
        .count("replications", tried.iter().map(|candidate| candidate.replications.len() as u64))
        .text("conditions", tried.iter().map(standing));
    let path = folder.join("tried.csv");
    report::write_atomically(&path, &table.to_csv()).or_environment(&format!("writing {}", path.display()))
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
