//! `validate`: a scenario against what was measured.

use crate::support::Desk;

const SCENARIO: &str = "\
apiVersion: scalelab.dev/v1
kind: Scenario
metadata: {name: counter}
spec:
  run: {duration: 200s, timelineStep: 10s}
  traffic: {generator: {rate: 2req/s}}
  service:
    pod: {gpus: 1}
    replicas: 2
    model: {slots: {serviceTime: 100ms}}
  nodes: {manager: {serverless: {price: $1/h}}}
  policies: [{name: fixed, static: {replicas: 2}}]
";

const MEASURED: &str = "\
apiVersion: scalelab.dev/v1
kind: Measured
metadata: {name: counter-2026, description: A counter in a shop.}
spec:
  source: {place: a shop}
  replications: 5
  windows:
    middle: {from: 50s, to: 150s}
  quantities:
  - {quantity: replicas_mean, measured: 2, within: exact}
  - {quantity: replicas_held, replicas: 2, window: middle, within: {holds: 100%}}
  - {quantity: time_to_replicas_s, replicas: 3, within: {atMost: 10s}, seeds: 0%}
  - {quantity: latency_ms_p50, window: middle, measured: 0.1s, within: {relative: 5%}}
  - {quantity: latency_ms_p50, measured: 100ms, within: {range: [99ms, 105ms]}}
  - {quantity: requests, window: middle, measured: 200, within: {factor: 1.5}}
  - {quantity: throughput_rps, measured: 2, within: {absolute: 0.5}, note: by the clock at the door}
  - {quantity: failed, measured: 3}
  unknown:
  - {key: service.model.slots.serviceTime, values: [50ms, 100ms], note: Nobody timed it.}
";

fn desk(measured: &str) -> Desk {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("counter")).expect("a fresh folder");
    std::fs::write(desk.path("counter/scenario.yaml"), SCENARIO).expect("a writable folder");
    std::fs::write(desk.path("counter/measured.yaml"), measured).expect("a writable folder");
    desk
}

fn json(desk: &Desk) -> serde_json::Value {
    serde_json::from_str(&desk.read("found.json")).expect("JSON")
}

#[test]
fn what_comes_out_as_measured_exits_with_0_and_the_value_that_fits_is_named() {
    let desk = desk(MEASURED);
    let told = desk.run("validate counter --markdown found.md --json found.json");
    assert!(told.starts_with("exit code 0\n"), "{told}");
    let found = json(&desk);
    let run = &found["runs"][0];
    assert_eq!((&run["inside"], &run["judged"]), (&7.into(), &7.into()), "{told}");
    assert_eq!(run["best"], serde_json::json!(["service.model.slots.serviceTime=100ms"]));
    // Half the time is outside of both latencies and leaves the rest as it was.
    assert_eq!(run["sweep"][0]["inside"], 5);
    let never = &run["quantities"][2];
    assert_eq!((&never["median"], &never["seedsInside"]), (&"never".into(), &0.0.into()));
    let (by_window, by_run) = (&run["quantities"][3]["median"], &run["quantities"][4]["median"]);
    assert!((by_window.as_f64().unwrap() / by_run.as_f64().unwrap() - 1.0).abs() < 0.01, "{by_window} {by_run}");
    assert_eq!(run["quantities"][7]["isInside"], serde_json::Value::Null);
    let markdown = desk.read("found.md");
    assert!(markdown.contains("7 of 7 judged quantities are inside"), "{markdown}");
    assert!(markdown.contains("by the clock at the door") && markdown.contains("Nobody timed it."), "{markdown}");
}

#[test]
fn what_does_not_come_out_as_measured_exits_with_1() {
    let desk = desk(&MEASURED.replace("measured: 0.1s", "measured: 0.2s"));
    let told = desk.run("validate counter --no-sweep --json found.json");
    assert!(told.starts_with("exit code 1\n"), "{told}");
    assert!(told.contains("6 of 7 judged quantities inside") && told.contains("OUTSIDE"), "{told}");
    assert_eq!(json(&desk)["runs"][0]["sweep"], serde_json::json!([]));
}

#[test]
fn a_slip_in_a_measured_document_is_refused_where_it_stands_and_nothing_is_written() {
    let slips = [
        (
            "quantity: failed",
            "quantity: faild",
            "measured.yaml:17:16: spec.quantities[7].quantity: there is no quantity `faild`; did you mean `failed`?",
        ),
        (
            "window: middle, measured: 200",
            "window: midle, measured: 200",
            "there is no window `midle`; did you mean `middle`?",
        ),
        ("quantity: requests,", "quantity: cost_usd,", "`cost_usd` is of the whole run"),
        ("to: 150s", "to: 250s", "spec.windows.middle: ends 00:04:10 after the start"),
        ("measured: 0.1s", "measured: fast", "found `fast`, expected a number of milliseconds"),
        ("{range: [99ms, 105ms]}", "{rnage: [99ms, 105ms]}", "unknown choice `rnage`; did you mean `range`?"),
        ("replicas: 3, ", "", "`time_to_replicas_s` needs `replicas`"),
        ("measured: 2, within: exact", "within: exact", "which is missing"),
        ("values: [50ms, 100ms]", "values: []", "no values"),
        ("unknown:", "unknwon:", "unknown key `unknwon`; did you mean `unknown`?"),
        ("kind: Measured", "kind: Mesured", "did you mean `Measured`?"),
    ];
    for (right, wrong, message) in slips {
        assert!(MEASURED.contains(right), "{right}");
        let desk = desk(&MEASURED.replace(right, wrong));
        let told = desk.run("validate counter --markdown found.md");
        assert!(told.starts_with("exit code 2\n") && told.contains(message), "{wrong}: {told}");
        assert!(!desk.path("found.md").exists());
    }
}

#[test]
fn a_scenario_without_measured_figures_is_refused() {
    let told = Desk::new().run("validate service");
    assert!(told.starts_with("exit code 2\n") && told.contains("no document of `kind: Measured`"), "{told}");
}

#[test]
fn a_run_knows_nothing_of_what_was_measured() {
    let desk = desk(MEASURED);
    let with = desk.run("run counter -v -o with");
    std::fs::remove_file(desk.path("counter/measured.yaml")).expect("it is there");
    let without = desk.run("run counter -v -o without");
    assert!(!with.contains("easured"), "{with}");
    let notes = |told: &str| told.lines().filter(|line| line.starts_with("note:")).count();
    assert_eq!(notes(&with), notes(&without));
    assert_eq!(desk.read("with/replications.csv"), desk.read("without/replications.csv"));
    assert!(!desk.read("with/run.json").contains("Measured"));
}
