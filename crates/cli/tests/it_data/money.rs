//! Money as a user meets it: recorded spot prices, availability traces, billing rules, commitments, and tables that add up.

use super::support::{Lab, SERVICE, TRAFFIC, scenario};

/// A scenario of `hours` hours from `start` with `replicas` replicas and `rest` below `spec`.
fn run_of((start, hours): (&str, u32), replicas: u32, rest: &str) -> String {
    format!(
        "apiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata: {{name: money}}\nspec:\n  run: {{start: \"{start}\", duration: {hours}h}}\n  \
         policies:\n  - name: fixed\n    static: {{replicas: {replicas}}}\n  traffic: {{generator: {{rate: 1req/s}}}}\n{SERVICE}{rest}"
    )
}

/// A table by the names of its columns.
struct Rows {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Rows {
    fn of(lab: &Lab, name: &str) -> Self {
        let text = lab.read(name);
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect());
        Self { header: lines.next().expect("a header"), rows: lines.collect() }
    }

    fn column(&self, name: &str) -> Vec<&str> {
        let index = self.header.iter().position(|column| column == name).unwrap_or_else(|| panic!("no column {name}"));
        self.rows.iter().map(|row| row[index].as_str()).collect()
    }

    /// Micro-dollars of a column of dollars.
    fn micros(&self, name: &str) -> i64 {
        let read = |text: &&str| {
            let (whole, part) = text.split_once('.').expect("dollars have six decimals");
            assert_eq!(part.len(), 6, "{text}");
            whole.parse::<i64>().expect("dollars") * 1_000_000 + part.parse::<i64>().expect("micro-dollars")
        };
        self.column(name).iter().filter(|text| !text.is_empty()).map(read).sum()
    }
}

fn data(name: &str) -> String {
    format!("{}/tests/data_data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// The pool of g5.xlarge of a scenario with recorded prices, on demand at $1.006.
fn recorded(more: &str) -> String {
    let file = data("spot-history.json");
    format!(
        "  nodes: {{pools: [{{name: gpu, instanceTypes: [g5.xlarge], capacityTypes: [spot, on-demand], zones: [use1-az1]}}]}}\n  \
         prices: {{spotHistory: {{file: {file}{more}}}, g5.xlarge: {{onDemand: $1.006/h}}}}\n"
    )
}

#[test]
fn a_recorded_spot_price_is_billed_stretch_by_stretch_and_decides_at_launch() {
    let lab = Lab::new();
    lab.write("spot.yaml", &run_of(("2026-03-02T05:00:00", 8), 1, &recorded("")));
    let ran = lab.run("run spot.yaml -o out");
    // $0.40 from 5 to 6, $1.20 to noon, $0.45 to 13: 0.40 + 7.20 + 0.45.
    assert_eq!(Rows::of(&lab, "out/summary.csv").column("cost_spot_usd"), ["8.050000"], "{}", ran.stderr);
    assert!(ran.stderr.contains("recorded, $0.4/h at the start, 2 changes, $0.4 to $1.2/h"), "{}", ran.stderr);
    // At 7 spot is dearer than on demand.
    lab.out("run spot.yaml --set run.start=2026-03-02T07:00:00 -o dear --quiet");
    assert_eq!(Rows::of(&lab, "dear/summary.csv").column("cost_on_demand_usd"), ["8.048000"]);
    // The same price again and again: two hours of 0.40 and 1.20 each.
    lab.write(
        "again.yaml",
        &run_of(("2027-01-01T00:00:00", 8), 1, &recorded(", from: \"2026-03-02T05:00:00Z\", repeat: 2h")),
    );
    lab.out("run again.yaml -o again --quiet");
    assert_eq!(Rows::of(&lab, "again/summary.csv").column("cost_spot_usd"), ["6.400000"]);
}

#[test]
fn what_the_record_does_not_know_is_an_error_or_a_warning() {
    let lab = Lab::new();
    lab.write("spot.yaml", &run_of(("2026-03-02T05:00:00", 8), 1, &recorded("")));
    let early = lab.refused("run spot.yaml --set run.start=2026-02-20 -o out");
    assert!(early.contains("begins at 2026-03-01T00:00:00Z, after 2026-02-20T00:00:00Z"), "{early}");
    let zone = lab.refused("run spot.yaml --set nodes.pools.gpu.zones=[use1-az2] -o out");
    assert!(zone.contains("no `g5.xlarge` in zone `use1-az2`; did you mean `use1-az1`?"), "{zone}");
    let product = lab.refused("run spot.yaml --set prices.spotHistory.product=Linux -o out");
    assert!(product.contains("did you mean `Linux/UNIX`?"), "{product}");
    lab.write("type.yaml", &run_of(("2026-03-02T05:00:00", 8), 1, &recorded("").replace("g5.xlarge", "g5.2xlarge")));
    let kind = lab.refused("run type.yaml -o out");
    assert!(kind.contains("`spot` has no price for any instance type of this pool"), "{kind}");
    assert!(kind.contains("the spot price history has g5.xlarge"), "{kind}");
    let late = lab.run("run spot.yaml --set run.start=2026-03-10 -o out");
    assert!(
        late.code == 0 && late.stderr.contains("stale: the spot price history ends at 2026-03-02T12:00:00Z, 7.8 days"),
        "{}",
        late.stderr
    );
}

#[test]
fn a_catalog_of_imported_prices_is_a_history_too() {
    let lab = Lab::new();
    lab.out("prices import --format aws-spot-history @spot-history.json -o history.csv");
    let rest = recorded("").replace(&data("spot-history.json"), "history.csv");
    lab.write("spot.yaml", &run_of(("2026-03-02T05:00:00", 8), 1, &rest));
    lab.out("run spot.yaml -o out --quiet");
    // Only the latest price of the day is in it.
    assert_eq!(Rows::of(&lab, "out/summary.csv").column("cost_spot_usd"), ["3.600000"]);
}

/// Counts that change every `gap` seconds, as SkyPilot records them.
fn skypilot(gap: u32, counts: &[u32]) -> String {
    format!("{{\"metadata\": {{\"gap_seconds\": {gap}}}, \"data\": {counts:?}}}")
}

/// Nodes held at any instant never exceed the counts of their zone; returns how many were taken back.
fn check_held(nodes: &Rows, zone: &str, steps: &[(f64, u32)]) -> usize {
    let seconds = |text: &str| text.parse::<f64>().ok();
    let columns = [nodes.column("zone"), nodes.column("launched_s"), nodes.column("ended_s"), nodes.column("purchase")];
    let lives: Vec<(f64, f64)> = (0..nodes.rows.len())
        .filter(|&row| columns[0][row] == zone && columns[3][row] == "spot")
        .filter_map(|row| Some((seconds(columns[1][row])?, seconds(columns[2][row]).unwrap_or(f64::INFINITY))))
        .collect();
    for instant in steps.iter().map(|step| step.0).chain(lives.iter().map(|life| life.0)) {
        let available = steps.iter().rev().find(|step| step.0 <= instant).map_or(0, |step| step.1);
        let held = lives.iter().filter(|life| life.0 <= instant && instant < life.1).count();
        assert!(held <= available as usize, "{held} of {available} in {zone} at {instant}");
    }
    let endings = nodes.column("ending");
    (0..nodes.rows.len()).filter(|&row| columns[0][row] == zone && endings[row] == "spot_reclaim").count()
}

fn availability(zones: &str, traces: &str) -> String {
    format!(
        "  nodes: {{pools: [{{name: gpu, instanceTypes: [p3.2xlarge], capacityTypes: [spot], zones: [{zones}], consolidation: never}}]}}\n  \
         prices: {{p3.2xlarge: {{spot: $0.92/h}}}}\n  spot: {{interruptions: {{availability: {{{traces}}}}}}}\n"
    )
}

#[test]
fn traces_replay_zone_by_zone_and_every_loss_is_an_interruption() {
    let lab = Lab::new();
    // Half an hour a step: long enough for whatever comes back to be held before the next change.
    let counts = [vec![3, 1, 4, 4, 0, 2, 5, 1], vec![2, 2, 0, 3, 1, 6, 2, 2]];
    lab.write("a.json", &skypilot(1_800, &counts[0]));
    let bamboo: Vec<String> = (0..).zip(&counts[1]).map(|(step, count)| format!("{},{count}", step * 1_800)).collect();
    lab.write("b.csv", &bamboo.join("\n"));
    lab.write("held.yaml", &run_of(("2026-01-05", 4), 14, &availability("a, b", "zones: {a: a.json, b: b.csv}")));
    lab.out("run held.yaml -o out --quiet");
    let nodes = Rows::of(&lab, "out/nodes.csv");
    let mut taken = 0;
    for (zone, counts) in ["a", "b"].into_iter().zip(&counts) {
        let steps: Vec<(f64, u32)> =
            (0..).zip(counts).map(|(step, count)| (f64::from(step) * 1_800.0, *count)).collect();
        let lost: u32 = counts.windows(2).map(|pair| pair[0].saturating_sub(pair[1])).sum();
        let of_zone = check_held(&nodes, zone, &steps);
        assert_eq!(of_zone, lost as usize, "in zone {zone}");
        taken += of_zone;
    }
    assert_eq!(Rows::of(&lab, "out/summary.csv").column("spot_interruptions"), [taken.to_string()]);
}

#[test]
fn a_trace_that_limits_nothing_and_a_zone_without_one_are_refused() {
    let lab = Lab::new();
    lab.write("a.json", &skypilot(600, &[2, 1]));
    lab.write("zone.yaml", &run_of(("2026-01-05", 1), 2, &availability("us-west-2a", "zones: {us-wset-2a: a.json}")));
    assert!(lab.refused("run zone.yaml -o out").contains("did you mean `us-west-2a`?"));
    lab.write("free.yaml", &run_of(("2026-01-05", 1), 2, &availability("a, b", "zones: {a: a.json}")));
    assert!(
        lab.refused("run free.yaml -o out").contains("in zone `b`, which has no trace for it: they would be unlimited")
    );
    lab.write("type.yaml", &run_of(("2026-01-05", 1), 2, &availability("a", "zones: {a: {p3.8xlarge: a.json}}")));
    assert!(lab.refused("run type.yaml -o out").contains("did you mean `p3.2xlarge`?"));
    lab.write("late.yaml", &run_of(("2026-01-05", 1), 2, &availability("a", "zones: {a: a.json}, startAt: 2h")));
    assert!(lab.refused("run late.yaml -o out").contains("startAt"));
    lab.write("short.yaml", &run_of(("2026-01-05", 1), 2, &availability("a", "zones: {a: a.json}")));
    let ran = lab.run("run short.yaml -o out");
    assert!(ran.code == 0 && ran.stderr.contains("its last count stays"), "{}", ran.stderr);
    lab.write(
        "again.yaml",
        &run_of(("2026-01-05", 1), 2, &availability("a", "zones: {a: {p3.2xlarge: a.json}}, repeat: true")),
    );
    lab.out("run again.yaml -o again --quiet");
    let steps = [(0.0, 2), (600.0, 1), (1_200.0, 2), (1_800.0, 1), (2_400.0, 2), (3_000.0, 1)];
    assert_eq!(check_held(&Rows::of(&lab, "again/nodes.csv"), "a", &steps), 3);
}

#[test]
fn recorded_traces_of_skypilot_and_bamboo_replay() {
    let Ok(shared) = std::env::var("SCALELAB_DATA") else {
        println!("skipped: SCALELAB_DATA does not say where recorded traces are");
        return;
    };
    let folder = format!("{shared}/spot/skypilot/availability/16-node/aws-08-27-2023");
    let lab = Lab::new();
    let zones = ["us-east-2b", "us-west-2a", "us-west-2c"];
    let files: Vec<String> = zones.iter().map(|zone| format!("{folder}/{zone}_v100_1.json.gz")).collect();
    let traces: Vec<String> = zones.iter().zip(&files).map(|(zone, file)| format!("{zone}: {file}")).collect();
    let rest = availability(&zones.join(", "), &format!("zones: {{{}}}", traces.join(", ")));
    lab.write("sky.yaml", &run_of(("2023-08-27", 96), 48, &rest));
    lab.out("run sky.yaml -o sky --quiet");
    let nodes = Rows::of(&lab, "sky/nodes.csv");
    let mut taken = 0;
    for (zone, file) in zones.iter().zip(&files) {
        let mut text = String::new();
        let bytes = std::fs::File::open(file).expect("a recorded trace");
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(bytes), &mut text).expect("gzip");
        let trace = prices::availability_skypilot(zone, &text).expect("a SkyPilot trace");
        // What is recorded after the run's four days has nothing to be compared with.
        let steps = trace.steps.iter().map(|step| (step.0.as_secs_f64(), step.1));
        let steps: Vec<(f64, u32)> = steps.filter(|step| step.0 < 96.0 * 3_600.0).collect();
        let of_zone = check_held(&nodes, zone, &steps);
        assert!(of_zone > 10, "{zone}: {of_zone}");
        taken += of_zone;
    }
    assert_eq!(Rows::of(&lab, "sky/summary.csv").column("spot_interruptions"), [taken.to_string()]);
    let bamboo = format!("{shared}/spot/bamboo/p3-trace.csv");
    lab.write("bamboo.yaml", &run_of(("2020-11-20", 11), 64, &availability("z", &format!("zones: {{z: {bamboo}}}"))));
    lab.out("run bamboo.yaml -o bamboo --quiet");
    let trace = prices::availability_bamboo("z", &std::fs::read_to_string(&bamboo).expect("a trace")).expect("Bamboo");
    let steps = trace.steps.iter().map(|step| (step.0.as_secs_f64(), step.1));
    let steps: Vec<(f64, u32)> = steps.filter(|step| step.0 < 11.0 * 3_600.0).collect();
    assert!(check_held(&Rows::of(&lab, "bamboo/nodes.csv"), "z", &steps) > 10);
}

#[test]
fn a_base_on_demand_and_a_share_above_it_spread_over_zones_and_types() {
    let lab = Lab::new();
    let rest = "  nodes: {pools: [{name: gpu, instanceTypes: [g5.xlarge, g6.xlarge], capacityTypes: [spot, on-demand], zones: [a, b], onDemandBase: 2, onDemandShare: 25%, \
                capacity: {spot: {instancesMax: 2}}}]}\n  prices: {g5.xlarge: {onDemand: $1/h, spot: $0.4/h}, g6.xlarge: {onDemand: $0.8/h, spot: $0.4/h}}\n";
    lab.write("mix.yaml", &run_of(("2026-01-05", 1), 10, rest));
    lab.out("run mix.yaml -o out --quiet");
    let nodes = Rows::of(&lab, "out/nodes.csv");
    let places: Vec<(&str, &str, &str)> = (0..nodes.rows.len())
        .map(|row| (nodes.column("purchase")[row], nodes.column("instance_type")[row], nodes.column("zone")[row]))
        .collect();
    let count = |wanted: (&str, &str, &str)| places.iter().filter(|place| **place == wanted).count();
    assert_eq!(places.iter().filter(|place| place.0 == "on_demand").count(), 4, "{places:?}");
    // The six on spot are spread over both types and zones, two at most in each.
    let spot = [("spot", "g5.xlarge"), ("spot", "g6.xlarge")];
    let of_spot: Vec<usize> = spot.iter().flat_map(|(a, b)| [count((a, b, "a")), count((a, b, "b"))]).collect();
    assert!(of_spot.iter().sum::<usize>() == 6 && of_spot.iter().all(|held| (1..=2).contains(held)), "{of_spot:?}");
    lab.write("alone.yaml", &run_of(("2026-01-05", 1), 1, &rest.replace("[spot, on-demand]", "[spot]")));
    assert!(lab.refused("run alone.yaml -o out2").contains("need `capacityTypes: [spot, on-demand]`"));
}

#[test]
fn billing_rules_of_a_provider_hold_for_a_written_price() {
    let lab = Lab::new();
    // A spot node that is there from the start and taken after 40 s: free at AWS and Google Cloud, a minute at Azure, an hour by the hour.
    lab.write("a.json", &skypilot(40, &[1, 0]));
    for (billing, cost) in [
        ("billing: aws", "0.000000"),
        ("billing: gcp", "0.000000"),
        ("billing: azure", "0.060000"),
        ("billing: gcp, spotFreeWithin: 0s", "0.060000"),
        ("billingMinimum: 0s, billingIncrement: 1h", "3.600000"),
        ("spotFirstHourFree: true", "0.000000"),
        ("billingMinimum: 0s", "0.040000"),
    ] {
        let rest =
            availability("a", "zones: {a: a.json}").replace("spot: $0.92/h", &format!("spot: $3.60/h, {billing}"));
        lab.write(
            "taken.yaml",
            &run_of(
                ("2026-01-05", 1),
                1,
                &format!("{}, notice: 0s}}\n", rest.trim_end().trim_end_matches('}').to_owned() + "}}}"),
            ),
        );
        lab.out("run taken.yaml -o out --quiet");
        assert_eq!(Rows::of(&lab, "out/summary.csv").column("cost_usd"), [cost], "{billing}");
    }
    let rest = availability("a", "zones: {a: a.json}").replace("spot: $0.92/h", "spot: $1/h, billing: amazon");
    lab.write("wrong.yaml", &run_of(("2026-01-05", 1), 1, &rest));
    assert!(lab.refused("run wrong.yaml -o out").contains("(one of: aws, gcp, azure, modal, article)"));
}

#[test]
fn a_commitment_is_paid_whether_used_or_not_and_lowers_what_it_covers() {
    let lab = Lab::new();
    let with = |commitment: &str| {
        format!(
            "  nodes: {{pools: [{{name: gpu, instanceTypes: [g5.xlarge]}}]}}\n  prices: {{g5.xlarge: {{onDemand: $1/h}}, commitments: [{commitment}]}}\n"
        )
    };
    let cost = |name: &str, commitment: &str| {
        let both = run_of(("2026-01-05", 3), 2, &with(commitment));
        // Both are there from the start.
        lab.write("plan.yaml", &both.replace("static: {replicas: 2}", "static: {replicas: 2}\n    replicas: 2"));
        lab.out(&format!("run plan.yaml -o {name} --quiet"));
        let summary = Rows::of(&lab, &format!("{name}/summary.csv"));
        (summary.micros("cost_reserved_usd"), summary.micros("cost_on_demand_usd"), summary.micros("cost_usd"))
    };
    // Two instances for three hours; one committed at 60 cents: three hours of it, and three instance-hours at $1.
    assert_eq!(cost("one", "{instances: 1, rates: {g5.xlarge: $0.60/h}}"), (1_800_000, 3_000_000, 4_800_000));
    // Three committed: one of them for nothing.
    assert_eq!(cost("three", "{instances: 3, rates: {g5.xlarge: $0.60/h}}"), (5_400_000, 0, 5_400_000));
    // A savings plan of $0.90 an hour covers one and a half.
    assert_eq!(cost("plan", "{perHour: $0.90/h, rates: {g5.xlarge: $0.60/h}}"), (2_700_000, 1_500_000, 4_200_000));
    for (commitment, said) in [
        ("{instances: 1, rates: {g5.2xlarge: $1/h}}", "did you mean `g5.xlarge`?"),
        ("{rates: {g5.xlarge: $1/h}}", "needs `perHour` or `instances`, one of them"),
        ("{instances: 1, rates: {}}", "at least one rate is needed"),
    ] {
        lab.write("plan.yaml", &run_of(("2026-01-05", 3), 2, &with(commitment)));
        let refused = lab.refused("run plan.yaml -o out");
        assert!(refused.contains(said), "{refused}");
    }
}

#[test]
fn a_purchase_option_without_a_price_is_not_skipped_in_silence() {
    let lab = Lab::new();
    let pool = |types: &str| {
        format!("  nodes: {{pools: [{{name: gpu, instanceTypes: [{types}], capacityTypes: [spot, on-demand]}}]}}\n")
    };
    let prices = "  prices: {g5.xlarge: {onDemand: $1/h}, g6.xlarge: {onDemand: $0.8/h, spot: $0.4/h}}\n";
    lab.write("none.yaml", &scenario(&format!("{TRAFFIC}{SERVICE}{}{prices}", pool("g5.xlarge"))));
    let refused = lab.refused("run none.yaml -o out");
    assert!(
        refused.contains("`spot` has no price for any instance type of this pool: write `spot` under `prices`"),
        "{refused}"
    );
    lab.write("some.yaml", &scenario(&format!("{TRAFFIC}{SERVICE}{}{prices}", pool("g5.xlarge, g6.xlarge"))));
    let ran = lab.run("run some.yaml -o out");
    assert!(
        ran.code == 0 && ran.stderr.contains("not offered for want of a price: g5.xlarge as `spot`"),
        "{}",
        ran.stderr
    );
}

#[test]
fn the_ledger_the_summary_the_nodes_and_the_pods_tell_the_same_dollars() {
    let lab = Lab::new();
    let rest = "  nodes: {pools: [{name: gpu, instanceTypes: [p3.8xlarge], capacityTypes: [spot, on-demand], zones: [a, b], onDemandBase: 1}]}\n  \
                prices: {p3.8xlarge: {onDemand: $12.24/h, spot: $3.777777/h}}\n  spot: {interruptions: {constant: 0.3/h}}\n";
    lab.write("all.yaml", &run_of(("2026-01-05", 6), 7, rest));
    lab.out("run all.yaml -o out --quiet");
    let [ledger, summary, nodes, replicas] =
        ["ledger", "summary", "nodes", "replicas"].map(|name| Rows::of(&lab, &format!("out/{name}.csv")));
    assert_eq!(ledger.micros("usd"), summary.micros("cost_usd"));
    let by_purchase =
        ["on_demand", "spot", "reserved", "serverless"].map(|name| summary.micros(&format!("cost_{name}_usd")));
    assert_eq!(by_purchase.iter().sum::<i64>(), summary.micros("cost_usd"));
    assert!(by_purchase[0] > 0 && by_purchase[1] > 0, "{by_purchase:?}");
    assert_eq!(replicas.micros("cost_usd") + nodes.micros("cost_without_replica_usd"), nodes.micros("cost_usd"));
    assert!(replicas.micros("cost_usd") > 0);
    // Each node's bill is rounded by itself: at most half a micro-dollar off.
    let apart = (nodes.micros("cost_usd") - summary.micros("cost_usd")).unsigned_abs();
    assert!(2 * apart <= nodes.rows.len() as u64, "{apart}");
    let seconds: f64 = nodes.column("billed_s").iter().map(|text| text.parse::<f64>().expect("seconds")).sum();
    let gpu_hours: f64 = ledger.column("gpu_hours").iter().map(|text| text.parse::<f64>().expect("hours")).sum();
    assert!((gpu_hours - seconds * 4.0 / 3_600.0).abs() < 1e-6, "{gpu_hours} {seconds}");
    let met: f64 = summary.column("cost_per_thousand_slo_met_usd")[0].parse().expect("dollars per thousand");
    let requests: f64 = summary.column("requests")[0].parse().expect("requests");
    let attained: f64 = summary.column("slo_attainment")[0].parse().expect("a share");
    let expected = summary.micros("cost_usd") as f64 / 1e6 / (requests * attained) * 1_000.0;
    assert!((met / expected - 1.0).abs() < 0.01, "{met} {expected}");
}
