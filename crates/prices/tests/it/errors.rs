//! Does each mistake name its place, what was found and what is meant?

use prices::{Advisor, Catalog, Query, SpotPriceHistory, availability_bamboo, availability_skypilot};
use record::Purchase;

const HEADER: &str = "provider,region,zone,instance_type,gpus,gpu_model,gpu_memory_gib,vcpus,memory_gib,on_demand_usd_per_hour,\
                      spot_usd_per_hour,reserved_1y_usd_per_hour,price_date,source";

fn catalog_error(text: &str) -> String {
    Catalog::parse(text).unwrap_err().to_string()
}

fn price_error(query: Query<'_>) -> String {
    Catalog::embedded().price(query).unwrap_err().to_string()
}

fn query(instance_type: &str) -> Query<'_> {
    Query { instance_type, provider: None, region: None, zone: None, purchase: Purchase::OnDemand }
}

#[test]
fn a_line_with_a_field_too_few_is_named() {
    assert_eq!(catalog_error(&format!("{HEADER}\naws,us-east-1\n")), "line 2: 2 fields where the header has 14");
}

#[test]
fn a_missing_column_is_named() {
    assert_eq!(catalog_error("provider,region\n"), "line 1: no column `zone`");
}

#[test]
fn an_unknown_column_is_told_its_likely_name() {
    let message = catalog_error(&HEADER.replace("spot_usd_per_hour", "spot_usd_per_hr"));
    assert!(
        message.starts_with("line 1, column 11: unknown column `spot_usd_per_hr`; did you mean `spot_usd_per_hour`?"),
        "{message}"
    );
}

#[test]
fn a_price_of_zero_is_refused() {
    assert_eq!(
        catalog_error(&format!("{HEADER}\naws,us-east-1,,x,1,T4,16,4,16,0.0,,,2026-01-01,s\n")),
        "line 2, column 10 (`on_demand_usd_per_hour`): found `0.0`, expected dollars per hour above 0, or nothing"
    );
}

#[test]
fn a_date_that_is_none_is_refused() {
    assert_eq!(
        catalog_error(&format!("{HEADER}\naws,us-east-1,,x,1,T4,16,4,16,1.0,,,yesterday,s\n")),
        "line 2, column 13 (`price_date`): found `yesterday`, expected a date such as 2026-08-20"
    );
}

#[test]
fn a_row_without_any_price_is_refused() {
    assert_eq!(
        catalog_error(&format!("{HEADER}\naws,us-east-1,,x,1,T4,16,4,16,,,,2026-01-01,s\n")),
        "line 2: `x` has no price; at least one of on_demand_usd_per_hour, spot_usd_per_hour, reserved_1y_usd_per_hour is needed"
    );
}

#[test]
fn an_unknown_provider_is_told_the_known_ones() {
    let message = price_error(Query { provider: Some("amazon"), ..query("g5.xlarge") });
    assert!(message.starts_with("no prices of provider `amazon` (in the catalog: article, aws, azure,"), "{message}");
}

#[test]
fn an_unknown_instance_type_is_told_its_neighbour() {
    assert_eq!(price_error(query("g5.xlrage")), "no price of instance type `g5.xlrage`; did you mean `g5.xlarge`?");
}

#[test]
fn an_instance_type_of_two_providers_is_ambiguous() {
    assert_eq!(price_error(query("l4")), "`l4` is offered by several providers (jarvislabs, modal); say which");
}

#[test]
fn an_unknown_region_is_told_the_known_ones() {
    assert_eq!(
        price_error(Query { region: Some("mars-1"), ..query("g5.xlarge") }),
        "no price of `g5.xlarge` in region `mars-1` (in the catalog: ap-northeast-1, ap-northeast-2, ap-south-1, ap-southeast-2, ca-central-1, eu-central-1, eu-north-1, eu-west-1, eu-west-2, sa-east-1, us-east-1, us-east-2, us-west-2)"
    );
}

#[test]
fn a_missing_price_is_an_error_and_never_zero() {
    assert_eq!(
        price_error(Query { purchase: Purchase::Spot, ..query("p5en.48xlarge") }),
        "no spot price of `p5en.48xlarge` in region `us-east-1`; import one or state it in the scenario"
    );
}

#[test]
fn a_history_that_is_not_json_is_told_where() {
    assert_eq!(
        SpotPriceHistory::parse(&["{"]).unwrap_err().to_string(),
        "spot price history: EOF while parsing an object at line 1 column 1"
    );
    assert_eq!(
        SpotPriceHistory::parse(&[r#"{"SpotPriceHistory": []}"#]).unwrap_err().to_string(),
        "spot price history: no usable entries"
    );
}

#[test]
fn an_unknown_region_of_the_advisor_is_told_its_neighbour() {
    let advisor =
        Advisor::parse(r#"{"spot_advisor": {"us-east-1": {"Linux": {"g5.xlarge": {"s": 50, "r": 4}}}}}"#).unwrap();
    let message = advisor.find("us-east1", "Linux", "g5.xlarge").unwrap_err().to_string();
    assert_eq!(message, "spot advisor: no region `us-east1`; did you mean `us-east-1`?");
}

#[test]
fn a_trace_line_of_the_wrong_kind_is_named() {
    assert_eq!(
        availability_bamboo("z", "0,add,a\n1,drop,a\n").unwrap_err().to_string(),
        "line 2: expected `milliseconds,add|remove,node`"
    );
    assert_eq!(
        availability_skypilot("z", r#"{"metadata": {"gap_seconds": 0}, "data": [1]}"#).unwrap_err().to_string(),
        "SkyPilot trace: gap_seconds is 0; it must be above 0"
    );
}

#[test]
fn a_name_that_acts_where_it_is_shown_is_refused() {
    for (name, column) in [("=1+1", 2), ("\u{1b}[2J", 4)] {
        let [region, machine] = if column == 2 { [name, "x"] } else { ["us-east-1", name] };
        let message = catalog_error(&format!("{HEADER}\naws,{region},,{machine},1,T4,16,4,16,1.0,,,2026-01-01,s\n"));
        assert!(message.starts_with(&format!("line 2, column {column} ")), "{message}");
    }
}
