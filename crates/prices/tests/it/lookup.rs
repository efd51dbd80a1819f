//! Is the right price found, and is an old one noticed?

use jiff::civil::date;
use prices::{Basis, Catalog, Query};
use record::Purchase;

fn query(instance_type: &str, purchase: Purchase) -> Query<'_> {
    Query { instance_type, provider: None, region: None, zone: None, purchase }
}

fn micros(query: Query<'_>) -> (u64, Basis) {
    let price = Catalog::embedded().price(query).unwrap();
    (price.price.as_micros(), price.basis)
}

#[test]
fn the_region_by_default_is_the_one_price_pages_open_with() {
    assert_eq!(micros(query("p4d.24xlarge", Purchase::OnDemand)), (21_957_600, Basis::Region));
    assert_eq!(micros(query("a2-highgpu-1g", Purchase::OnDemand)), (3_673_385, Basis::Region));
}

#[test]
fn the_article_answers_only_when_asked_by_name() {
    let article = Query { provider: Some("article"), ..query("p4d.24xlarge", Purchase::Spot) };
    assert_eq!(micros(article), (9_830_000, Basis::Region));
}

#[test]
fn spot_is_priced_by_zone_and_by_the_median_of_zones_where_none_is_named() {
    let spot = query("p4d.24xlarge", Purchase::Spot);
    assert_eq!(micros(Query { zone: Some("use1-az2"), ..spot }), (6_532_300, Basis::Zone));
    // Of 6.5323, 8.0087, 11.787 and 13.9933, the lower of the middle two.
    assert_eq!(micros(spot), (8_008_700, Basis::MedianOfZones(4)));
    assert_eq!(micros(Query { zone: Some("us-east-1a"), ..spot }), (8_008_700, Basis::MedianOfZones(4)));
}

#[test]
fn the_latest_row_wins() {
    let mut catalog = Catalog::embedded();
    let older = catalog.price(query("g5.xlarge", Purchase::OnDemand)).unwrap();
    let header = prices::COLUMNS.join(",");
    let newer = format!("{header}\naws,us-east-1,,g5.xlarge,1,A10G,24,4,16,0.9,,,2027-01-01,test\n");
    catalog.merge(Catalog::parse(&newer).unwrap());
    let newest = catalog.price(query("g5.xlarge", Purchase::OnDemand)).unwrap();
    assert_eq!((older.price.as_micros(), newest.price.as_micros()), (1_006_000, 900_000));
}

#[test]
fn a_provider_with_one_price_everywhere_has_it_in_any_region() {
    let gpu =
        Query { provider: Some("lambda"), region: Some("us-south-1"), ..query("gpu_1x_h100_sxm5", Purchase::OnDemand) };
    assert_eq!(micros(gpu), (4_290_000, Basis::Region));
}

#[test]
fn a_price_is_stale_only_after_the_given_months() {
    // The row is of 2026-07-20.
    let price = Catalog::embedded().price(query("g5.xlarge", Purchase::OnDemand)).unwrap();
    assert_eq!(price.staleness("g5.xlarge", date(2027, 1, 20), 6), None);
    assert_eq!(price.staleness("g5.xlarge", date(2024, 1, 1), 6), None, "a run in the past");
    let stale = price.staleness("g5.xlarge", date(2027, 4, 21), 6).unwrap();
    assert_eq!(stale.months, 9);
    assert_eq!(
        stale.message,
        "price of `g5.xlarge` (aws, us-east-1) is of 2026-07-20, 9 months before the start of the run; check it or import a newer one"
    );
}

#[test]
fn shapes_carry_the_label_the_scheduler_sees() {
    let catalog = Catalog::embedded();
    let shape = catalog.shape("p5.48xlarge", None).unwrap();
    assert_eq!((shape.gpus, shape.vcpus, shape.gpu_product()), (8, Some(192), Some("NVIDIA-H100-80GB-HBM3")));
}
