//! `scalelab trace`: look at a trace, normalise it, make one up, describe one by a few numbers.

mod output;

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use calibrate::traffic::{Arrivals, Tokens, append, burstiness, busiest, rate_curve};
use scenario::file::{ColumnsFile, TimeColumn, TraceFile as TraceKey, TraceFormat};
use scenario::{Amount, RequestRate, Time};
use traces::{FileTrace, TraceCache};
use units::SimDuration;
use workload::{Distribution, LlmTrace, RateCurve, TraceChunk, TraceSource};

use super::data_files::say;
use crate::args::{ArrivalUnit, Fit, Synthesize, Trace, TraceFile};
use crate::failure::{Failure, OrEnvironment, OrInput, Outcome, Result};
use crate::inputs::STANDARD_INPUT;
use output::TraceOutput;

/// A made-up trace is held in memory; more than this many requests is no small trace.
const REQUESTS_MAX: f64 = 50_000_000.0;

/// Points of a fitted rate, about.
const POINTS: u64 = 48;

/// Points of a fitted rate at most: more would be a copy, not a description.
const POINTS_MAX: usize = 2_000;

/// A lognormal further than this from the counts is named with its alternative.
const DISTANCE_MAX: f64 = 0.05;

/// Runs the command given.
pub fn trace(args: &Trace) -> Result<Outcome> {
    match args {
        Trace::Inspect(input) => inspect(input)?,
        Trace::Convert { input, output } => {
            let opened = open(input)?;
            let file = &opened.trace;
            let (mut reader, mut chunk) = (file.open(), TraceChunk::default());
            let mut written = TraceOutput::create(output, file.has_tokens(), file.adapters())?;
            while reader.next_chunk(&mut chunk) {
                written.push(&chunk)?;
            }
            written.finish()?;
            if output != Path::new("-") {
                eprintln!("{} requests are in {}", file.len(), output.display());
            }
        }
        Trace::Synthesize(args) => synthesize(args)?,
        Trace::Fit(args) => fit(args)?,
    }
    Ok(Outcome::Done)
}

/// A trace that was read through and found good.
struct Opened {
    trace: FileTrace,
    /// What messages and snippets call it.
    name: String,
    /// Where standard input is kept as long as it is read: a trace is read more than once.
    _kept: Option<tempfile::TempPath>,
}

/// Reads a trace through and finds it good; `-` is standard input.
fn open(input: &TraceFile) -> Result<Opened> {
    if input.file.as_os_str() != "-" {
        let trace = load(input, &input.file, &TraceCache::Beside)?;
        return Ok(Opened { trace, name: input.file.display().to_string(), _kept: None });
    }
    let mut kept = tempfile::NamedTempFile::new().or_environment("keeping standard input")?;
    std::io::copy(&mut std::io::stdin().lock(), &mut kept).or_environment("keeping standard input")?;
    let kept = kept.into_temp_path();
    let named = |failure: Failure| match failure {
        Failure::Input(error) => Failure::input(error.to_string().replace(&kept.display().to_string(), STANDARD_INPUT)),
        other @ Failure::Environment(_) => other,
    };
    let trace = load(input, &kept, &TraceCache::Off).map_err(named)?;
    Ok(Opened { trace, name: STANDARD_INPUT.to_owned(), _kept: Some(kept) })
}

fn load(input: &TraceFile, path: &Path, cache: &TraceCache) -> Result<FileTrace> {
    let columns = input.arrival.as_ref().map(|arrival| ColumnsFile {
        arrival: arrival.clone(),
        arrival_unit: match input.arrival_unit {
            ArrivalUnit::Seconds => TimeColumn::Seconds,
            ArrivalUnit::Milliseconds => TimeColumn::Milliseconds,
            ArrivalUnit::Microseconds => TimeColumn::Microseconds,
            ArrivalUnit::Nanoseconds => TimeColumn::Nanoseconds,
            ArrivalUnit::Timestamp => TimeColumn::Timestamp,
        },
        prompt_tokens: input.prompt_tokens.clone(),
        output_tokens: input.output_tokens.clone(),
        adapter: input.adapter.clone(),
    });
    let key = TraceKey {
        file: path.display().to_string(),
        format: if columns.is_some() { TraceFormat::Columns } else { TraceFormat::Auto },
        columns,
        resample: false,
    };
    let cache = match cache {
        TraceCache::Off => cache,
        // As the command line says.
        _ => TraceCache::chosen(),
    };
    FileTrace::load_with_adapters(path, &key, cache).map_err(|error| {
        let text = error.to_string();
        // The reader speaks of scenario keys; here the same choice is an option.
        let said = "name the columns under `columns` with `format: columns`";
        Failure::input(text.replace(said, "name its column of arrivals with --arrival"))
    })
}

/// A trace in memory.
fn read(input: &TraceFile) -> Result<(Opened, TraceChunk)> {
    let opened = open(input)?;
    let (mut reader, mut chunk, mut all) = (opened.trace.open(), TraceChunk::default(), TraceChunk::default());
    while reader.next_chunk(&mut chunk) {
        append(&mut all, &chunk);
    }
    drop(reader);
    Ok((opened, all))
}

fn inspect(input: &TraceFile) -> Result<()> {
    let (opened, trace) = read(input)?;
    let arrivals = Arrivals::of(&trace.arrival_ns);
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing into a `String` cannot fail.
        let _ = writeln!(text, "{name:<14} {value}");
    };
    line("file", &opened.name);
    line("format", opened.trace.format_name());
    line("requests", &arrivals.requests.to_string());
    let (first, last) = arrivals.span_s;
    line("span", &format!("{:.3} s, from {first:.3} s to {last:.3} s", last - first));
    line("rate", &format!("{:.4} req/s on average", arrivals.rate_mean));
    for (name, seconds) in [("busiest second", 1), ("busiest minute", 60), ("busiest hour", 3_600)] {
        if last - first >= seconds as f64 {
            let peak = busiest(&trace.arrival_ns, SimDuration::from_secs(seconds));
            line(name, &format!("{peak:.4} req/s"));
        }
    }
    line("gaps", &format!("coefficient of variation {:.3} (a constant Poisson process has 1)", arrivals.gap_cv));
    if arrivals.together > 0.0 {
        line("", &format!("{:.1} % of requests arrive together with the one before", arrivals.together * 100.0));
    }
    for (name, column) in [("prompt tokens", &trace.prompt_tokens), ("output tokens", &trace.output_tokens)] {
        match Tokens::of(column) {
            Some(found) => line(name, &tokens_text(&found)),
            None => line(name, "none"),
        }
    }
    if let Some(names) = opened.trace.adapters() {
        line("adapters", &adapters_text(&names, &trace));
    }
    say(&text)
}

fn tokens_text(tokens: &Tokens) -> String {
    format!("mean {:.1}, p50 {}, p90 {}, p99 {}, max {}", tokens.mean, tokens.p50, tokens.p90, tokens.p99, tokens.max)
}

/// How many adapters requests are for, and which the most.
fn adapters_text(names: &[String], trace: &TraceChunk) -> String {
    let mut counts = vec![0_usize; names.len() + 1];
    (0..trace.len()).for_each(|row| counts[trace.tag(row).adapter as usize] += 1);
    let share = |count: usize| 100.0 * count as f64 / trace.len() as f64;
    let (base, counts) = counts.split_first().expect("there is one for the base model");
    let most = (0..names.len()).rev().max_by_key(|place| counts[*place]).expect("a trace with adapters names one");
    format!(
        "{}, most often `{}` ({:.1} % of the requests); {:.1} % are for the base model",
        names.len(),
        names[most],
        share(counts[most]),
        share(*base)
    )
}

fn synthesize(args: &Synthesize) -> Result<()> {
    let rate = amount::<RequestRate>("--rate", &args.rate)?.0;
    let duration = amount::<Time>("--duration", &args.duration)?;
    if rate <= 0.0 || duration.duration().is_zero() {
        return Err(Failure::input("--rate and --duration must be above zero"));
    }
    if rate * duration.0 > REQUESTS_MAX {
        let reason = format!("{:.0} requests are too many; at most {REQUESTS_MAX:.0}", rate * duration.0);
        return Err(Failure::input(format!("--rate {} over {}: {reason}", args.rate, args.duration)));
    }
    let spec = LlmTrace {
        rate: Arc::new(RateCurve::constant(rate, duration.duration())),
        prompt_tokens: lognormal("--prompt-tokens", &args.prompt_tokens)?,
        output_tokens: lognormal("--output-tokens", &args.output_tokens)?,
        tokens_max: args.tokens_max,
        requests_max: None,
    };
    let trace = workload::synthesize_llm(&spec, args.seed);
    if trace.is_empty() {
        return Err(Failure::input("not one request falls into this time; raise --rate or --duration"));
    }
    let mut written = TraceOutput::create(&args.out, trace.has_tokens(), None)?;
    written.push(&trace)?;
    written.finish()?;
    if args.out != Path::new("-") {
        eprintln!("{} requests are in {}", trace.len(), args.out.display());
    }
    Ok(())
}

/// An amount with its unit.
pub fn amount<A: Amount>(option: &str, text: &str) -> Result<A> {
    A::parse(text).ok_or_else(|| Failure::input(format!("{option} {text}: expected {}", A::EXPECTED)))
}

fn lognormal(option: &str, text: &str) -> Result<Distribution> {
    let wrong =
        || Failure::input(format!("{option} {text}: expected median and 90th percentile in tokens, such as 1000,2700"));
    let (p50, p90) = text.split_once(',').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
    let (p50, p90) = (number(p50)?, number(p90)?);
    let law = if p50 == p90 { Distribution::Constant(p50) } else { Distribution::LogNormal { p50, p90 } };
    law.validate().or_input()?;
    Ok(law)
}

fn fit(args: &Fit) -> Result<()> {
    let (opened, trace) = read(&args.input)?;
    let arrivals = Arrivals::of(&trace.arrival_ns);
    if trace.len() < 10 {
        let reason = format!("{} requests are too few to describe", trace.len());
        return Err(Failure::input(format!("{}: {reason}", opened.name)));
    }
    let interval = match &args.interval {
        Some(text) => amount::<Time>("--interval", text)?.duration(),
        None => usual_interval(opened.trace.last_ns()),
    };
    if interval.is_zero() {
        return Err(Failure::input("--interval must be above zero"));
    }
    if opened.trace.last_ns() / interval.as_nanos() > POINTS_MAX as u64 {
        let reason = format!("makes more than {POINTS_MAX} points; a longer interval describes, this one copies");
        return Err(Failure::input(format!("--interval {interval} {reason}")));
    }
    let curve = rate_curve(&trace.arrival_ns, interval);
    let cv = burstiness(&trace.arrival_ns, &curve);
    let mut text = format!(
        "# {} requests over {:.0} s of {}.\ntraffic:\n  generator:\n    step: {interval}\n",
        arrivals.requests,
        arrivals.span_s.1,
        super::data_files::file_name(Path::new(&opened.name))
    );
    text +=
        &format!("    # Gaps vary by {cv:.2} of their mean on the clock of the rate below; a Poisson process has 1.\n");
    if arrivals.together > 0.05 {
        let percent = arrivals.together * 100.0;
        text += &format!(
            "    # {percent:.0} % of requests arrive together with another: the file's clock may be coarse.\n"
        );
    }
    // Within a tenth of 1 the simpler process is the better description.
    if (0.9..=1.1).contains(&cv) {
        text += "    process: poisson\n";
    } else {
        text += &format!("    process: {{renewal: {{gamma: {{mean: 1, cv: {cv:.2}}}}}}}\n");
    }
    text += &rate_yaml(&curve);
    if let (Some(prompt), Some(output)) = (Tokens::of(&trace.prompt_tokens), Tokens::of(&trace.output_tokens)) {
        text += "service:\n  model:\n    continuousBatching: # the rest of it is the engine's; see `scalelab calibrate service`\n";
        text += &tokens_yaml("promptTokens", &prompt);
        text += &tokens_yaml("outputTokens", &output);
    }
    say(&text)
}

/// About fifty intervals, a round number of seconds each.
fn usual_interval(last_ns: u64) -> SimDuration {
    let least = last_ns / POINTS / 1_000_000_000;
    let round = [1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 21_600, 86_400];
    SimDuration::from_secs(round.into_iter().find(|seconds| *seconds >= least).unwrap_or(86_400))
}

/// The rate as straight lines between the middles of its intervals.
fn rate_yaml(curve: &RateCurve) -> String {
    let level = |rate: f64| {
        let text = format!("{rate:.4}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if let [rate] = curve.rates[..] {
        return format!("    rate: {}req/s\n", level(rate));
    }
    let mut text = "    rate:\n      points:\n        at:\n".to_owned();
    let seconds = curve.step.as_secs_f64();
    for (index, rate) in curve.rates.iter().enumerate() {
        let middle = (index as f64 + 0.5) * seconds;
        text += &format!("        - {{time: {middle}s, level: {}req/s}}\n", level(*rate));
    }
    text
}

fn tokens_yaml(key: &str, tokens: &Tokens) -> String {
    let (p50, p90) = tokens.fitted;
    let is_constant = p90 - p50 < 0.5;
    let value =
        if is_constant { format!("{p50:.0}") } else { format!("{{logNormal: {{p50: {p50:.1}, p90: {p90:.1}}}}}") };
    let mut text = format!(
        "      {key}: {value} # seen: {}; the lognormal's p99 is {:.0}, its greatest distance {:.3}\n",
        tokens_text(tokens),
        tokens.fitted_p99,
        tokens.distance
    );
    if tokens.distance > DISTANCE_MAX && !is_constant {
        let values: Vec<String> = tokens.quantiles.iter().map(u32::to_string).collect();
        text += &format!("      # closer: {key}: {{empirical: [{}]}}\n", values.join(", "));
    }
    text
}
