//! Sweeps: the same points every time, nothing twice, nothing lost.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::design::Setting;
use lab::sweep::{
    Cells, JOURNAL_NAME, Scenarios, Shard, Sweep, SweepError, SweepOptions, SweepResults, estimate, merge, read, run,
};
use lab::{Job, Workers};
use record::RunRecord;
use tempfile::TempDir;

use crate::queue::Queue;

const SWEEP: &str = "
apiVersion: scalelab.dev/v1
kind: Sweep
name: queues
scenario: queue.yaml
replications: 2
seed: 5
axes:
  - {path: service.servers, range: {from: 3, to: 6, step: 1}}
  - {name: rate, path: traffic.rate, values: [1.5, 2.5, 4]}
constraints:
  - rate < servers
";

/// Queues of the parameters `servers` and `rate`, with two policies.
#[derive(Default)]
struct Queues {
    runs: AtomicUsize,
    prepared: Mutex<Vec<String>>,
}

impl Scenarios for Queues {
    type Prepared = Queue;

    fn prepare(&self, settings: &[Setting]) -> Result<Queue, String> {
        let number = |name: &str| settings.iter().find(|one| one.parameter.name == name).unwrap().value.number;
        self.prepared.lock().unwrap().push(settings.iter().map(Setting::to_override).collect::<Vec<_>>().join(" "));
        if number("rate") == 9.0 {
            return Err("rate: 9 is too much".to_owned());
        }
        Ok(Queue { servers: number("servers") as usize, rate: number("rate"), requests: 200, slo_s: 2.0, stretch: 1.0 })
    }

    fn policies(&self, _: &Queue) -> Vec<String> {
        vec!["plain".to_owned(), "slow".to_owned()]
    }

    fn run(&self, queue: &Queue, job: &Job) -> RunRecord {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let stretch = [1.0, 1.1][job.policy];
        Queue { stretch, ..*queue }.simulate(["plain", "slow"][job.policy], job)
    }
}

fn options(shard: &str, resume: bool) -> SweepOptions<'static> {
    SweepOptions { shard: Shard::parse(shard).unwrap(), resume, progress: &|_| () }
}

fn sweep_into(directory: &Path, shard: &str, resume: bool) -> usize {
    let workers = Workers::new(None).unwrap();
    let queues = Queues::default();
    let outcome = run(&workers, &Sweep::parse(SWEEP).unwrap(), &queues, directory, &options(shard, resume)).unwrap();
    assert_eq!(outcome.before + outcome.done, outcome.total);
    assert_eq!(outcome.done, queues.runs.load(Ordering::Relaxed));
    outcome.done
}

fn whole() -> (TempDir, SweepResults) {
    let directory = TempDir::new().unwrap();
    sweep_into(directory.path(), "1/1", false);
    let results = read(directory.path()).unwrap();
    (directory, results)
}

/// Rows as text: NaN equals NaN there.
fn text(results: &SweepResults) -> String {
    format!("{:?}", results.rows)
}

/// A journal as it was written before its lines had checksums.
fn without_checksums(journal: &str) -> String {
    let bare = |line: &str| line[..line.find(",\"check\"").unwrap()].to_owned() + "}\n";
    journal.lines().map(bare).collect::<String>().replacen("\"scalelab_sweep\":2", "\"scalelab_sweep\":1", 1)
}

fn overrides(sweep: &str) -> String {
    let sweep = Sweep::parse(sweep).unwrap();
    sweep.points.iter().map(|point| point.to_overrides().join(" ")).collect::<Vec<_>>().join("\n")
}

fn with_axes(axes: &str) -> String {
    let head = SWEEP.split("axes:").next().unwrap();
    format!("{head}axes:\n{axes}")
}

fn error(axes: &str) -> String {
    Sweep::parse(&with_axes(axes)).unwrap_err().to_string()
}

#[test]
fn axes_are_crossed_and_constraints_skip_points() {
    insta::assert_snapshot!(overrides(SWEEP), @r"
    service.servers=3 traffic.rate=1.5
    service.servers=3 traffic.rate=2.5
    service.servers=4 traffic.rate=1.5
    service.servers=4 traffic.rate=2.5
    service.servers=5 traffic.rate=1.5
    service.servers=5 traffic.rate=2.5
    service.servers=5 traffic.rate=4
    service.servers=6 traffic.rate=1.5
    service.servers=6 traffic.rate=2.5
    service.servers=6 traffic.rate=4
    ");
    assert_eq!(Sweep::parse(SWEEP).unwrap().skipped, 2);
}

#[test]
fn every_kind_of_axis_has_its_values() {
    let axes = "
  - path: a.windowSeconds
    logRange: {from: 10s, to: 1000s, count: 3}
  - zip:
      - {path: b.min, values: [1, 2]}
      - {path: b.max, values: [10, 20]}
";
    insta::assert_snapshot!(overrides(&with_axes(axes)), @r"
    a.windowSeconds=10s b.min=1 b.max=10
    a.windowSeconds=10s b.min=2 b.max=20
    a.windowSeconds=100s b.min=1 b.max=10
    a.windowSeconds=100s b.min=2 b.max=20
    a.windowSeconds=1000s b.min=1 b.max=10
    a.windowSeconds=1000s b.min=2 b.max=20
    ");
    for method in ["latinHypercube", "sobol"] {
        let axes = format!(
            "  - sample: {{method: {method}, points: 4, over: [{{path: x, from: 1, to: 4}}, {{path: y, values: [a, b]}}]}}"
        );
        let sweep = Sweep::parse(&with_axes(&axes)).unwrap();
        let mut values: Vec<String> = sweep.points.iter().map(|point| point.settings[0].value.text.clone()).collect();
        values.sort_unstable();
        assert_eq!(values, ["1", "2", "3", "4"], "{method}: one point per slice");
        assert_eq!(sweep.points, Sweep::parse(&with_axes(&axes)).unwrap().points, "{method}: the same every time");
    }
}

#[test]
fn a_mistake_in_a_sweep_names_the_key_and_what_is_allowed() {
    insta::assert_snapshot!(error("  - {path: a}"), @"axes[0]: found none, expected exactly one of `values`, `range`, `logRange`, `zip`, `sample`");
    insta::assert_snapshot!(error("  - {values: [1]}"), @"axes[0]: `path` is missing");
    insta::assert_snapshot!(error("  - {path: a, range: {from: 1, to: 5}}"), @"axes[0].range: expected either `step` or a `count` above 0");
    insta::assert_snapshot!(error("  - {path: a, range: {from: 1s, to: 5s, step: 1m}}"), @"axes[0].range.step: `1s` and `1m` must have the same unit");
    insta::assert_snapshot!(error("  - {path: a, range: {from: 9, to: 5, step: 1}}"), @"axes[0].range: the range from `9` to `5` is empty");
    insta::assert_snapshot!(error("  - {path: a, logRange: {from: 1, to: 5}}"), @"axes[0].logRange: expected a `count` above 0 (a logarithmic range has no `step`)");
    insta::assert_snapshot!(error("  - {path: a.x, values: [1]}\n  - {path: b.x, values: [2]}"), @"axes: `x` (b.x) is there twice; give the axes different names");
    insta::assert_snapshot!(error("  - zip: [{path: a, values: [1]}, {path: b, values: [1, 2]}]"), @"axes[0].zip: the axes must be equally long, found 1, 2 values");
    insta::assert_snapshot!(error("  - {name: 2x, path: a, values: [1]}"), @"axes[0].name: `2x` is not a name of letters, digits and underscores");
    insta::assert_snapshot!(error("  - {path: a, values: [1]}\nconstraints: [b > 1]"), @"constraints[0]: column 1: unknown axis `b`; one of: a");
    insta::assert_snapshot!(error("  - {path: a, values: [1]}\nconstraints: [a > 1]"), @"constraints: all 1 points are skipped");
    assert!(error("  - {path: a, valeus: [1]}").contains("valeus"));
    insta::assert_snapshot!(Shard::parse("3/2").unwrap_err(), @"`3/2` is not a shard; expected `I/N` with 1 <= I <= N, as `2/4`, or `job/N` in a Kubernetes Indexed Job");
}

#[test]
fn a_sweep_killed_anywhere_and_resumed_has_the_same_rows() {
    let (directory, expected) = whole();
    assert_eq!(expected.rows.len(), 40);
    assert_eq!(expected.missing(), 0);
    let journal = std::fs::read(directory.path().join(JOURNAL_NAME)).unwrap();
    // In the header, after it, in the middle of a line, at a line's end, one byte short of the end.
    let line_end = journal.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(17).unwrap().0 + 1;
    for cut in [0, 10, journal.len() / 3, line_end - 1, line_end, journal.len() - 1] {
        let killed = TempDir::new().unwrap();
        std::fs::write(killed.path().join(JOURNAL_NAME), &journal[..cut]).unwrap();
        let done = sweep_into(killed.path(), "1/1", true);
        assert!(done > 0, "cut at {cut}");
        assert_eq!(text(&read(killed.path()).unwrap()), text(&expected), "cut at {cut}");
        assert_eq!(sweep_into(killed.path(), "1/1", true), 0, "a second resume has nothing to do");
    }
}

#[test]
fn a_stopped_sweep_says_so_and_goes_on_where_it_was() {
    let directory = TempDir::new().unwrap();
    let workers = Workers::new(None).unwrap();
    let stop = workers.stop_flag();
    let progress = |progress: lab::Progress| stop.store(progress.finished >= 7, Ordering::Relaxed);
    let halted = SweepOptions { progress: &progress, ..options("1/1", false) };
    let outcome = run(&workers, &Sweep::parse(SWEEP).unwrap(), &Queues::default(), directory.path(), &halted).unwrap();
    assert!(outcome.is_interrupted && outcome.done >= 7 && outcome.done < 40);
    assert_eq!(read(directory.path()).unwrap().rows.len(), outcome.done);
    assert_eq!(sweep_into(directory.path(), "1/1", true), 40 - outcome.done);
    assert_eq!(text(&read(directory.path()).unwrap()), text(&whole().1));
}

#[test]
fn shards_merged_equal_one_run() {
    let (first, second, merged) = (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    let done = sweep_into(first.path(), "1/2", false) + sweep_into(second.path(), "2/2", false);
    assert_eq!(done, 40);
    let results = merge(&[second.path(), first.path()], merged.path()).unwrap().finish().unwrap();
    let (_, expected) = whole();
    assert_eq!(text(&results), text(&expected));
    assert_eq!(text(&read(merged.path()).unwrap()), text(&expected));
    assert!(matches!(merge(&[first.path()], merged.path()), Err(SweepError::Exists(_))));
}

#[test]
fn folders_that_do_not_belong_together_are_refused() {
    let (directory, _) = whole();
    let workers = Workers::new(None).unwrap();
    let other = Sweep::parse(&SWEEP.replace("seed: 5", "seed: 6")).unwrap();
    let resumed = run(&workers, &other, &Queues::default(), directory.path(), &options("1/1", true));
    assert!(matches!(resumed, Err(SweepError::Other(_))));
    let fresh = run(&workers, &other, &Queues::default(), directory.path(), &options("1/1", false));
    assert!(matches!(fresh, Err(SweepError::Exists(_))));
    assert!(matches!(read(Path::new("no such folder")), Err(SweepError::Missing(_))));
    let (left, right) = (TempDir::new().unwrap(), whole().0);
    let journal = without_checksums(&std::fs::read_to_string(right.path().join(JOURNAL_NAME)).unwrap());
    let (head, tail) = journal.split_once("\"digest\":").unwrap();
    let (_, tail) = tail.split_once(',').unwrap();
    std::fs::write(left.path().join(JOURNAL_NAME), format!("{head}\"digest\":1,{tail}")).unwrap();
    let conflict = merge(&[left.path(), right.path()], TempDir::new().unwrap().path());
    assert!(matches!(conflict, Err(SweepError::Conflict { .. })), "{conflict:?}");
}

#[test]
fn a_line_damaged_in_the_middle_is_an_error_with_its_number() {
    let (directory, _) = whole();
    let path = directory.path().join(JOURNAL_NAME);
    let damaged = std::fs::read_to_string(&path).unwrap().replacen("\n{\"point\"", "\n{\"pnt", 1);
    std::fs::write(&path, damaged).unwrap();
    assert!(matches!(read(directory.path()), Err(SweepError::Damaged { line: 2, .. })));
}

#[test]
fn a_point_that_cannot_be_made_is_reported_and_the_others_run() {
    let directory = TempDir::new().unwrap();
    let text = SWEEP.replace("[1.5, 2.5, 4]", "[1.5, 9]").replace("rate < servers", "rate > 0");
    let workers = Workers::new(None).unwrap();
    let outcome =
        run(&workers, &Sweep::parse(&text).unwrap(), &Queues::default(), directory.path(), &options("1/1", false))
            .unwrap();
    assert_eq!(outcome.failures.len(), 4);
    assert_eq!(outcome.failures[0], (1, "rate: 9 is too much".to_owned()));
    assert_eq!(read(directory.path()).unwrap().missing(), outcome.total - outcome.done);
}

#[test]
fn each_point_is_prepared_once_however_many_runs_it_has() {
    let directory = TempDir::new().unwrap();
    let queues = Queues::default();
    let workers = Workers::new(None).unwrap();
    run(&workers, &Sweep::parse(SWEEP).unwrap(), &queues, directory.path(), &options("1/1", false)).unwrap();
    // Ten points, and the first once more to learn the policies.
    assert_eq!(queues.prepared.lock().unwrap().len(), 11);
}

#[test]
fn an_unknown_policy_is_an_error_before_anything_is_written() {
    let directory = TempDir::new().unwrap();
    let text = SWEEP.replace("seed: 5", "policies: [slo]");
    let workers = Workers::new(None).unwrap();
    let sweep = Sweep::parse(&text).unwrap();
    let message = run(&workers, &sweep, &Queues::default(), directory.path(), &options("1/1", false)).unwrap_err();
    insta::assert_snapshot!(message, @"policies: unknown policy `slo`; did you mean `slow`?; one of: plain, slow");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn the_estimate_counts_what_the_sweep_will_run() {
    let workers = Workers::new(None).unwrap();
    let sweep = Sweep::parse(SWEEP).unwrap();
    let estimate = estimate(&workers, &sweep, &Queues::default(), Shard::parse("1/2").unwrap()).unwrap();
    assert_eq!((estimate.points, estimate.skipped, estimate.runs), (10, 2, 20));
    assert!(estimate.seconds_per_run > 0.0 && estimate.total.as_secs_f64() > 0.0);
}

#[test]
fn the_table_is_tidy_one_row_per_point_policy_and_replication() {
    let table = whole().1.table();
    let column = |name: &str| &table.iter().find(|column| column.name == name).unwrap().cells;
    let head: Vec<&str> = table.iter().take(8).map(|column| column.name.as_str()).collect();
    assert_eq!(head, ["point", "servers", "rate", "policy", "replication", "seed", "digest", "requests"]);
    let Cells::Number(rates) = column("rate") else { panic!("rates are numbers") };
    assert_eq!((rates[0], rates[39], rates.len()), (1.5, 4.0, 40));
    let Cells::Text(policies) = column("policy") else { panic!("policies are words") };
    assert_eq!(policies[..4], ["plain", "plain", "slow", "slow"]);
    assert_eq!(column("replication"), &Cells::Whole([0, 1].repeat(20)));
}

#[test]
fn each_point_has_an_estimate_over_its_replications() {
    let results = whole().1;
    let column = lab::columns::Column::named("slo_attainment").unwrap();
    let estimates = results.estimates(column);
    assert_eq!(estimates.len(), 20);
    for (estimate, rows) in estimates.iter().zip(results.rows.chunks(2)) {
        assert_eq!((estimate.point, &estimate.policy), (rows[0].point, &rows[0].summary.policy));
        assert!(estimate.estimate.low.is_nan(), "two replications are not known to give an interval");
        let mean = f64::midpoint(column.of(&rows[0].summary), column.of(&rows[1].summary));
        assert!((estimate.estimate.mean - mean).abs() < 1e-12, "both replications have 200 requests");
    }
}

/// Two thousand points of short runs: what the sweep itself costs beside the runs.
#[test]
fn two_thousand_points_are_swept_and_none_is_missing_or_twice() {
    let directory = TempDir::new().unwrap();
    let text =
        with_axes("  - {path: a.servers, values: [4]}\n  - {path: rate, range: {from: 0.001, to: 2.0, step: 0.001}}");
    let workers = Workers::new(None).unwrap();
    let sweep = Sweep::parse(&text.replace("replications: 2", "replications: 1")).unwrap();
    assert_eq!(sweep.points.len(), 2000);
    let begin = std::time::Instant::now();
    let outcome = run(&workers, &sweep, &Queues::default(), directory.path(), &options("1/1", false)).unwrap();
    println!("{} runs of 600 requests in {:?} on {} threads", outcome.done, begin.elapsed(), workers.jobs());
    let results = read(directory.path()).unwrap();
    assert_eq!((results.rows.len(), results.missing()), (4000, 0));
    assert!(results.rows.windows(2).all(|pair| {
        let key = |row: &lab::sweep::SweepRow| (row.point, row.summary.policy.clone());
        key(&pair[0]) < key(&pair[1])
    }));
}

#[test]
fn a_damaged_line_of_a_journal_is_refused_and_never_shifts_a_column() {
    let (directory, _) = whole();
    let path = directory.path().join(JOURNAL_NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    let line = text.lines().nth(3).unwrap();
    let begin = line.find("\"values\":[").unwrap() + 10;
    let comma = begin + line[begin..].find(',').unwrap();
    let digit = line.rfind(['1', '2']).unwrap();
    let damaged = [
        // A value fewer, another digit, no checksum, the checksum of another line.
        format!("{}{}", &line[..begin], &line[comma + 1..]),
        format!("{}{}{}", &line[..digit], '3', &line[digit + 1..]),
        format!("{}}}", &line[..line.find(",\"check\"").unwrap()]),
        format!(
            "{}{}",
            &line[..line.find(",\"check\"").unwrap()],
            &text.lines().nth(4).unwrap()[text.lines().nth(4).unwrap().find(",\"check\"").unwrap()..]
        ),
    ];
    for changed in damaged {
        assert_ne!(changed, line);
        std::fs::write(&path, text.replacen(line, &changed, 1)).unwrap();
        let refused = read(directory.path()).unwrap_err().to_string();
        assert!(refused.contains("journal.jsonl:4: damaged journal: "), "{refused}");
        assert!(refused.ends_with("without this line `--resume` does its run again"), "{refused}");
    }
    // As the message says.
    std::fs::write(&path, text.replacen(&format!("{line}\n"), "", 1)).unwrap();
    assert_eq!(sweep_into(directory.path(), "1/1", true), 1);
}

#[test]
fn journals_without_checksums_are_read_and_gone_on_with_if_their_lines_are_whole() {
    let (directory, results) = whole();
    let path = directory.path().join(JOURNAL_NAME);
    let text = std::fs::read_to_string(&path).unwrap();
    let old = without_checksums(&text);
    std::fs::write(&path, &old).unwrap();
    assert_eq!(self::text(&read(directory.path()).unwrap()), self::text(&results));
    let (before, _) = old.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(&path, format!("{before}\n")).unwrap();
    assert_eq!(sweep_into(directory.path(), "1/1", true), 1);
    assert_eq!(self::text(&read(directory.path()).unwrap()), self::text(&results));
    let shorter = old.replacen(",null", "", 1).replacen("[\"3\",\"1.5\"]", "[\"3\"]", 1);
    std::fs::write(&path, shorter).unwrap();
    assert!(read(directory.path()).unwrap_err().to_string().contains("damaged journal: "));
}

#[test]
fn a_sweep_of_more_points_than_can_be_held_is_refused_with_their_number() {
    let said = error("  - {path: a, range: {from: 0, to: 10000000, step: 1}}");
    assert!(said.starts_with("axes[0].range.step: makes 10000001 points; a sweep has 1000000 at most"), "{said}");
    let axis =
        "  - {path: a, range: {from: 0, to: 2000, step: 1}}\n  - {path: b, logRange: {from: 1, to: 2000, count: 2000}}";
    assert!(error(axis).starts_with("axes[1]: makes "), "{}", error(axis));
    assert!(
        error("  - {path: a, range: {from: 0, to: 1, step: 1e-300}}").contains("makes 18446744073709551615 points")
    );
}

#[test]
fn a_sample_is_as_many_points_as_it_says_whatever_their_parameters() {
    let sample = |points: usize, parameters: usize, last: &str| {
        let over: String = (1..parameters).map(|number| format!("{{path: a{number}, from: 0, to: 1}}, ")).collect();
        error(&format!("  - sample: {{method: latinHypercube, points: {points}, over: [{over}{last}]}}"))
    };
    let right = "{path: z, from: 0, to: 1}";
    assert!(sample(1_000_001, 1, right).starts_with("axes[0].sample: makes 1000001 points"));
    let said = sample(1_000_000, 17, right);
    assert_eq!(said, "axes[0].sample: 1000000 points of 17 parameters are 17000000 settings; 16000000 at most");
    // The number is right: what is told is the next mistake.
    assert!(sample(1_000_000, 2, "{path: z, from: 0, to: many}").starts_with("axes[0].sample.over[1]"));
}
