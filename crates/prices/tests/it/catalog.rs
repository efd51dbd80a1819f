//! Is the catalog that ships with the program whole, and does a catalog survive being written?

use jiff::civil::date;
use prices::{BillingRules, Catalog, ListFilter, SkyPilotSource, list_table, show_table, skypilot_catalog};
use units::{SimDuration, UsdPerHour};

#[test]
fn the_embedded_catalog_covers_the_large_clouds_and_some_gpu_clouds() {
    let catalog = Catalog::embedded();
    assert!(catalog.rows().len() > 100);
    for provider in ["aws", "gcp", "azure", "lambda", "runpod", "modal", "article"] {
        assert!(catalog.rows().iter().any(|row| row.provider == provider), "{provider}");
    }
}

#[test]
fn a_spot_price_is_never_above_the_on_demand_price_of_its_row() {
    for row in Catalog::embedded().rows() {
        if let (Some(spot), Some(on_demand)) = (row.spot, row.on_demand) {
            assert!(spot < on_demand, "{row:?}");
        }
    }
}

#[test]
fn rows_of_one_instance_type_agree_on_its_shape() {
    let catalog = Catalog::embedded();
    for row in catalog.rows() {
        let shape = catalog.shape(&row.instance_type, Some(&row.provider)).unwrap();
        assert_eq!(shape, &row.shape, "{}", row.instance_type);
    }
}

#[test]
fn a_catalog_reads_back_what_it_wrote() {
    let catalog = Catalog::embedded();
    assert_eq!(Catalog::parse(&catalog.to_csv()).unwrap(), catalog);
}

#[test]
fn the_list_puts_the_cheapest_gpu_first() {
    let of_one = ListFilter { provider: Some("jarvislabs"), ..ListFilter::default() };
    let table = list_table(&Catalog::embedded(), of_one, date(2026, 11, 24));
    assert_eq!(
        table,
        "provider    region  zone  instance type  GPUs  model      $/h   spot $/h  1 y $/h  date\n\
         jarvislabs  any     -     l4             1     L4         0.44  0.19      -        2026-05-24\n\
         jarvislabs  any     -     a100-80gb      1     A100-80GB  1.49  0.66      -        2026-05-24\n\
         jarvislabs  any     -     h100-sxm       1     H100       2.69  1.18      -        2026-05-24\n"
    );
    // A day later they are more than six months old.
    let table = list_table(&Catalog::embedded(), of_one, date(2026, 11, 25));
    assert!(
        table.contains("1.18      -        2026-05-24*\n* stale: 3 of 3 prices are more than 6 months old"),
        "{table}"
    );
}

#[test]
fn show_names_the_source_of_every_price() {
    let catalog = Catalog::embedded();
    let text = show_table(&catalog.find("p4d.24xlarge", Some("aws"), Some("us-east-1")), date(2026, 6, 15));
    assert!(
        text.starts_with("p4d.24xlarge (aws)\n  8 x A100-40GB with 40 GiB each; vCPUs 96, memory 1152 GiB\n"),
        "{text}"
    );
    assert!(text.contains("us-east-1 use1-az2: spot $6.5323/h on 2026-01-01 (SkyPilot catalog v9"), "{text}");
    assert!(text.contains("us-east-1: reserved 1 y $13.921094/h on 2025-11-30, stale (Vantage"), "{text}");
}

#[test]
fn bills_have_a_minimum_and_a_reclaim_in_the_first_hour_on_aws_is_free() {
    let secs = SimDuration::from_secs;
    assert_eq!(BillingRules::AWS.billed(secs(1)), secs(60));
    assert_eq!(BillingRules::AWS.billed(SimDuration::from_millis(60_001)), secs(61));
    assert_eq!(BillingRules::AWS.billed_when_reclaimed(secs(3_599)), SimDuration::ZERO);
    assert_eq!(BillingRules::AWS.billed_when_reclaimed(secs(3_600)), secs(3_600));
    assert_eq!(BillingRules::GCP.billed_when_reclaimed(secs(61)), secs(61));
    assert_eq!(BillingRules::of("some-cloud").billed(secs(61)), secs(120));
}

const AWS_VMS: &str = "\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone
g6.xlarge,L4,1.0,4.0,16.0,\"{'Gpus': [{'Name': 'L4', 'MemoryInfo': {'SizeInMiB': 22888}}]}\",0.8048,0.347,us-east-1,use1-az2
p5.48xlarge,H100,8.0,192.0,2048.0,\"{'Gpus': [{'MemoryInfo': {'SizeInMiB': 81920}}]}\",55.04,55.04,us-east-1,use1-az1
m5.large,,,2.0,8.0,,0.096,0.04,us-east-1,use1-az1
";

#[test]
fn a_skypilot_spot_price_equal_to_on_demand_is_no_spot_price() {
    let from = SkyPilotSource { provider: "aws", date: date(2026, 8, 1), source: "SkyPilot v9" };
    let imported = skypilot_catalog(AWS_VMS, from).unwrap();
    let [l4, h100] = imported.catalog.rows() else { panic!("two GPU rows") };
    assert_eq!(
        (l4.zone.as_str(), l4.shape.gpu_memory_gib, l4.spot),
        ("use1-az2", 24.0, Some(UsdPerHour::from_micros(347_000)))
    );
    assert_eq!((h100.on_demand, h100.spot), (Some(UsdPerHour::from_micros(55_040_000)), None));
    assert_eq!(imported.skipped.get("no GPU"), Some(&1));
}

#[test]
fn on_gcp_the_machine_and_its_gpus_are_priced_apart_and_added_up() {
    let vms = "\
InstanceType,vCPUs,MemoryGiB,AcceleratorName,AcceleratorCount,GpuInfo,Region,AvailabilityZone,Price,SpotPrice
a3-highgpu-8g,208.0,1872.0,,,,us-east4,us-east4-a,9.46006,2.15966
a2-highgpu-1g,12.0,85.0,,,,us-east4,us-east4-a,0.7,0.3
,,,H100,8,{'Gpus': [{'MemoryInfo': {'SizeInMiB': 81920}}]},us-east4,us-east4-a,78.37241,17.8848
";
    let from = SkyPilotSource { provider: "gcp", date: date(2026, 8, 1), source: "SkyPilot v9" };
    let imported = skypilot_catalog(vms, from).unwrap();
    let [row] = imported.catalog.rows() else { panic!("one row") };
    assert_eq!(row.on_demand, Some(UsdPerHour::from_micros(87_832_470)));
    assert_eq!(row.spot, Some(UsdPerHour::from_micros(20_044_460)));
    assert_eq!((row.shape.gpus, row.shape.gpu_memory_gib), (8, 80.0));
    assert_eq!(imported.skipped.get("machine without a price of its GPUs"), Some(&1));
}
