//! Do histories mean what their formats say?

use jiff::Timestamp;
use prices::{Advisor, Catalog, SpotPriceHistory, availability_bamboo, availability_skypilot};
use proptest::prelude::*;
use units::{SimDuration, SimTime};

fn entry(zone: &str, price: &str, at: &str) -> String {
    format!(
        r#"{{"AvailabilityZone": "{zone}", "InstanceType": "g5.xlarge", "ProductDescription": "Linux/UNIX", "SpotPrice": "{price}", "Timestamp": "{at}"}}"#
    )
}

fn page(entries: &[String], token: &str) -> String {
    format!(r#"{{"SpotPriceHistory": [{}], "NextToken": "{token}"}}"#, entries.join(","))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn a_price_holds_until_the_next_change_and_pages_merge() {
    let newest = page(
        &[entry("a", "0.30", "2026-08-10T02:00:00+00:00"), entry("a", "0.20", "2026-08-10T01:00:00+00:00")],
        "more",
    );
    let oldest = page(&[entry("a", "0.20", "2026-08-10T01:00:00Z"), entry("a", "0.10", "2026-08-09T00:00:00Z")], "");
    let history = SpotPriceHistory::parse(&[&newest, &oldest]).unwrap();
    assert!(history.warnings.is_empty(), "{:?}", history.warnings);
    let series = history.find("a", "g5.xlarge", "Linux/UNIX").unwrap();
    let steps = series.since(at("2026-08-10T00:00:00Z"));
    let expected = [(0, 100_000), (3_600, 200_000), (7_200, 300_000)];
    assert_eq!(steps.iter().map(|(from, price)| (from.as_secs(), price.as_micros())).collect::<Vec<_>>(), expected);
}

#[test]
fn before_the_first_known_price_the_first_one_holds() {
    let history = SpotPriceHistory::parse(&[&page(&[entry("a", "0.2", "2026-08-10T01:00:00Z")], "")]).unwrap();
    let steps = history.series[0].since(at("2026-08-01T00:00:00Z"));
    assert_eq!(
        steps.iter().map(|(from, price)| (from.as_secs(), price.as_micros())).collect::<Vec<_>>(),
        [(0, 200_000)]
    );
}

#[test]
fn the_mean_price_is_weighted_by_time() {
    let entries = [entry("a", "1", "2026-08-10T00:00:00Z"), entry("a", "4", "2026-08-10T03:00:00Z")];
    let history = SpotPriceHistory::parse(&[&page(&entries, "")]).unwrap();
    // Three hours at 1 and one hour at 4.
    assert_eq!(history.series[0].mean(at("2026-08-10T04:00:00Z")).as_micros(), 1_750_000);
}

#[test]
fn an_answer_cut_short_is_noticed() {
    let history = SpotPriceHistory::parse(&[&page(&[entry("a", "0.2", "2026-08-10T01:00:00Z")], "more")]).unwrap();
    assert_eq!(history.warnings, ["the last page has a NextToken: older prices are missing"]);
}

#[test]
fn the_advisors_hazard_loses_its_share_of_instances_in_a_month() {
    let advisor =
        Advisor::parse(r#"{"spot_advisor": {"r": {"Linux": {"low": {"s": 1, "r": 1}, "open": {"s": 1, "r": 4}}}}}"#)
            .unwrap();
    let low = advisor.find("r", "Linux", "low").unwrap();
    // The middle of 5-10 % a month.
    let lost_in_a_month = 1.0 - (-low.hazard_per_hour() * 730.0).exp();
    assert!((lost_in_a_month - 0.075).abs() < 1e-12);
    let open = advisor.find("r", "Linux", "open").unwrap();
    assert_eq!((open.monthly_share(), open.hazard_bounds_per_hour().1), (0.25, None));
}

#[test]
fn a_skypilot_trace_is_steps_of_its_gap() {
    let trace = availability_skypilot("z", r#"{"metadata": {"gap_seconds": 300}, "data": [0, 0, 4, 4, 1]}"#).unwrap();
    assert_eq!(trace.steps, [(SimTime::ZERO, 0), (SimTime::from_secs(600), 4), (SimTime::from_secs(1_200), 1)]);
    assert_eq!(trace.end, SimTime::from_secs(1_500));
    assert_eq!(trace.losses().collect::<Vec<_>>(), [(SimTime::from_secs(1_200), 4, 3)]);
    assert!((trace.node_hours() - (4.0 * 600.0 + 300.0) / 3_600.0).abs() < 1e-12);
}

#[test]
fn all_three_layouts_of_bamboo_read() {
    let membership = availability_bamboo("z", "0,add,a\n0,add,b\n2000,remove,a\n").unwrap();
    assert_eq!(membership.steps, [(SimTime::ZERO, 2), (SimTime::from_secs(2), 1)]);
    let dated = availability_bamboo("z", "2021-12-10, 13:09:45, 80\n2021-12-10, 13:08:45, 70\n").unwrap();
    assert_eq!(dated.steps, [(SimTime::ZERO, 70), (SimTime::from_secs(60), 80)]);
    assert_eq!(dated.notes.len(), 1);
    let elapsed = availability_bamboo("z", "0,0\n21529,0\n21529,4\n").unwrap();
    assert_eq!(elapsed.steps, [(SimTime::ZERO, 0), (SimTime::from_secs(21_529), 4)]);
    let hours = availability_bamboo("z", "0.000,0\n0.030,9\n").unwrap();
    assert_eq!(hours.steps, [(SimTime::ZERO, 0), (SimTime::from_secs(108), 9)]);
    assert_eq!(hours.notes, ["elapsed times taken as hours: they have fractions"]);
}

proptest! {
    #[test]
    fn losses_never_exceed_what_was_there(counts in prop::collection::vec(0u32..20, 1..50)) {
        let data: Vec<String> = counts.iter().map(u32::to_string).collect();
        let text = format!(r#"{{"metadata": {{"gap_seconds": 60}}, "data": [{}]}}"#, data.join(","));
        let trace = availability_skypilot("z", &text).unwrap();
        let mut lost = 0;
        for (_, before, gone) in trace.losses() {
            prop_assert!(gone <= before);
            lost += gone;
        }
        let fallen: u32 = counts.windows(2).map(|pair| pair[0].saturating_sub(pair[1])).sum();
        prop_assert_eq!(lost, fallen);
    }
}

#[test]
fn a_history_is_replayed_over_a_run_and_again_if_told_so() {
    let entries = [entry("a", "0.10", "2026-08-10T00:00:00Z"), entry("a", "0.20", "2026-08-10T01:00:00Z")];
    let history = SpotPriceHistory::parse(&[&page(&entries, "")]).unwrap();
    let replay = |start: &str, hours: u64, period: Option<u64>| {
        let length = |hours| SimDuration::from_secs(hours * 3_600);
        let steps = history.series[0].replay(at(start), length(hours), period.map(length))?;
        Some(steps.iter().map(|(from, price)| (from.as_secs(), price.as_micros())).collect::<Vec<_>>())
    };
    assert_eq!(replay("2026-08-10T00:30:00Z", 2, None), Some(vec![(0, 100_000), (1_800, 200_000)]));
    assert_eq!(replay("2026-08-10T00:30:00Z", 1, None).unwrap().len(), 2);
    let repeated = vec![(0, 100_000), (3_600, 200_000), (7_200, 100_000), (10_800, 200_000)];
    assert_eq!(replay("2026-08-10T00:00:00Z", 4, Some(2)), Some(repeated));
    assert_eq!(replay("2026-08-09T23:59:59Z", 4, None), None);
}

#[test]
fn rows_of_a_catalog_are_changes_at_midnight() {
    let catalog = Catalog::parse(
        "provider,region,zone,instance_type,gpus,gpu_model,gpu_memory_gib,vcpus,memory_gib,on_demand_usd_per_hour,spot_usd_per_hour,reserved_1y_usd_per_hour,price_date,source\n\
         aws,us-east-1,use1-az1,g5.xlarge,1,A10G,24,4,16,,0.5,,2026-08-11,s\n\
         aws,us-east-1,use1-az1,g5.xlarge,1,A10G,24,4,16,,0.4,,2026-08-10,s\n\
         aws,us-east-1,,g5.2xlarge,1,A10G,24,4,16,1.2,,,2026-08-10,s\n",
    )
    .unwrap();
    let history = SpotPriceHistory::of_catalog(&catalog).unwrap();
    assert_eq!(history.series.len(), 1);
    assert_eq!(history.series[0].points[1].0, at("2026-08-11T00:00:00Z"));
    assert_eq!(history.latest(), at("2026-08-11T00:00:00Z"));
}
