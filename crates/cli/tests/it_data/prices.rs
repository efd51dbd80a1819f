//! Prices: listed, imported, and on the bill of a run.

use super::support::{Lab, POOL, SERVICE, TRAFFIC, scenario};

#[test]
fn a_list_holds_only_what_was_asked_for_and_a_slip_of_the_pen_is_no_empty_list() {
    let lab = Lab::new();
    let list = lab.out("prices list --gpu l40s --provider aws");
    // The last line explains the asterisk of old prices.
    let rows: Vec<&str> = list.lines().skip(1).filter(|row| !row.starts_with("* stale:")).collect();
    assert!(rows.len() > 3 && rows.iter().all(|row| row.starts_with("aws") && row.contains("L40S")), "{list}");
    insta::assert_snapshot!(lab.refused("prices list --gpu H1000"), @"error: --gpu H1000: not in the catalog; did you mean `H100`? (one of: A10, A100-40GB, A100-80GB, A10G, B200, B300, GB200, H100, H200, L4, L40, L40S, RTX-PRO-4500, RTX-PRO-6000, RTX4090, T4, T4G, V100)");
}

#[test]
fn an_instance_type_is_shown_with_billing_rules_days_and_sources() {
    let lab = Lab::new();
    let shown = lab.out("prices show a2-highgpu-1g");
    for part in ["1 x A100-40GB", "billed by 1s, at least 60s", "on demand $", " on 20"] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    assert!(lab.refused("prices show a2-highgpu-1h").contains("did you mean `a2-highgpu-1g`?"));
}

#[test]
fn an_imported_price_reaches_the_bill_of_a_run() {
    let lab = Lab::new();
    let ran = lab.run("prices import --format skypilot @vms.csv --date 2026-09-30 -o mine.csv");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("1 rows left out: no GPU"), "{}", ran.stderr);
    // A spot price equal to the on-demand price means that there is no spot pool.
    insta::assert_snapshot!(lab.read("mine.csv"), @r#"
    provider,region,zone,instance_type,gpus,gpu_model,gpu_memory_gib,vcpus,memory_gib,on_demand_usd_per_hour,spot_usd_per_hour,reserved_1y_usd_per_hour,price_date,source
    aws,us-east-1,use1-az1,g5.xlarge,1,A10G,24,4,16,1.1,0.5,,2026-09-30,"SkyPilot catalog, vms.csv"
    aws,us-east-1,use1-az2,g5.xlarge,1,A10G,24,4,16,1.1,,,2026-09-30,"SkyPilot catalog, vms.csv"
    "#);
    lab.write(
        "tiny.yaml",
        &scenario(&format!("{TRAFFIC}{SERVICE}{POOL}  prices: {{catalog: [embedded, mine.csv]}}\n")),
    );
    let ran = lab.run("run tiny.yaml --format csv -o out");
    // A minute at $1.10 an hour.
    assert!(ran.stdout.contains("0.018333"), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("price of `g5.xlarge`, on_demand: $1.1/h by the catalog"), "{}", ran.stderr);
}

#[test]
fn a_price_history_is_imported_with_its_latest_price_of_linux() {
    let lab = Lab::new();
    lab.out("prices import --format aws-spot-history @spot-history.json -o history.csv");
    let rows: Vec<String> = lab.read("history.csv").lines().skip(1).map(str::to_owned).collect();
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].starts_with("aws,us-east-1,use1-az1,g5.xlarge,1,A10G,24,4,16,,0.45,,2026-03-02,"), "{rows:?}");
}

#[test]
fn the_advisor_gives_hazards_and_prices_below_the_on_demand_price() {
    let lab = Lab::new();
    let table = lab.out("prices import --format spot-advisor @advisor.json --date 2026-03-01 -o advisor.csv");
    // -ln(1 - 7.5 %) / 730 h.
    assert!(table.contains("g5.xlarge") && table.contains("0.000107"), "{table}");
    assert!(lab.read("advisor.csv").contains(",0.4024,"), "60 % off $1.006: {}", lab.read("advisor.csv"));
}

#[test]
fn a_file_that_is_none_leaves_nothing_behind() {
    let lab = Lab::new();
    assert!(
        lab.refused("prices import --format skypilot @trace.csv --date 2026-01-01 -o out.csv")
            .contains("is there a column `InstanceType`?")
    );
    assert!(
        lab.refused("prices import --format aws-spot-history @trace.csv -o out.csv").contains("spot price history")
    );
    assert!(lab.names().is_empty(), "{:?}", lab.names());
    assert_eq!(lab.run("prices import --format aws-spot-history @spot-history.json -o /proc/none/out.csv").code, 3);
}

#[test]
fn a_catalog_fills_shapes_and_prices_and_says_when_they_are_old() {
    let lab = Lab::new();
    // No built-in shape has this name; the run starts long after the day of the price.
    let spec = format!(
        "{TRAFFIC}{SERVICE}  nodes: {{pools: [{{name: gpu, instanceTypes: [g5.8xlarge]}}]}}\n  prices: {{catalog: embedded}}\n"
    );
    lab.write("tiny.yaml", &scenario(&spec));
    let ran = lab.run("run tiny.yaml --set run.start=2027-05-03 -o out");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("stale: price of `g5.8xlarge`"), "{}", ran.stderr);
    let ran = lab.run("run tiny.yaml -o out");
    assert!(!ran.stderr.contains("stale"), "{}", ran.stderr);
}

#[test]
fn a_price_nobody_states_is_an_error_and_never_zero() {
    let lab = Lab::new();
    let with = |prices: &str| scenario(&format!("{TRAFFIC}{SERVICE}{POOL}  prices: {{{prices}}}\n"));
    lab.write("none.yaml", &with("p4d.24xlarge: {onDemand: $20/h}"));
    assert!(lab.refused("run none.yaml -o out").contains("g5.xlarge"));
    lab.write("region.yaml", &with("catalog: embedded, region: us-esat-1"));
    assert!(lab.refused("run region.yaml -o out").contains("did you mean `us-east-1`?"));
    lab.write("alone.yaml", &with("region: us-east-1, g5.xlarge: {onDemand: $1/h}"));
    assert!(lab.refused("run alone.yaml -o out").contains("add `catalog: embedded`"));
    lab.write("missing.yaml", &with("catalog: nowhere.csv"));
    assert!(lab.refused("run missing.yaml -o out").contains("there is no file `nowhere.csv`"));
}
