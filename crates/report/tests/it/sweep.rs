//! The plots of a sweep.

use record::Interval;
use report::{SweepPoint, SweepReport, SweepValue, sweep_files};

fn value(text: &str) -> SweepValue {
    SweepValue { text: text.to_owned(), number: text.parse().unwrap_or(f64::NAN) }
}

fn exactly(mean: f64) -> Interval {
    Interval { mean, low: f64::NAN, high: f64::NAN }
}

/// Two policies at every pair of values.
fn points(first: &[&str], second: &[&str]) -> Vec<SweepPoint> {
    let pairs = first.iter().flat_map(|a| second.iter().map(move |b| [*a, *b]));
    pairs
        .enumerate()
        .flat_map(|(index, pair)| {
            let settings: Vec<SweepValue> = pair.into_iter().filter(|text| !text.is_empty()).map(value).collect();
            (0..2).map(move |policy| SweepPoint {
                settings: settings.clone(),
                policy,
                cost_usd: exactly(1.0 + index as f64),
                slo_attainment: exactly(0.9 + 0.01 * index as f64),
            })
        })
        .collect()
}

fn plots(parameters: &[&str], points: &[SweepPoint]) -> Vec<(String, Vec<u8>)> {
    let parameters: Vec<String> = parameters.iter().map(|&name| name.to_owned()).collect();
    let policies = ["hpa".to_owned(), "HPA".to_owned()];
    sweep_files(&SweepReport {
        name: "sweep",
        parameters: &parameters,
        policies: &policies,
        points,
        replications: 1,
        objective: Some(0.95),
        command: "scalelab run scenarios/x",
        paths: &parameters.iter().map(|name| format!("service.{name}")).collect::<Vec<_>>(),
    })
}

fn names(plots: &[(String, Vec<u8>)]) -> Vec<&str> {
    plots.iter().filter_map(|(name, _)| name.strip_prefix("plots/")?.strip_suffix(".svg")).collect()
}

#[test]
fn one_parameter_gives_a_curve_and_two_give_a_heat_map_per_policy() {
    let one = plots(&["target"], &points(&["10", "9", "20"], &[""]));
    assert_eq!(names(&one), ["cost_vs_slo", "curve"]);
    let two = plots(&["target", "routing"], &points(&["10", "9", "20"], &["random", "leastRequests"]));
    assert_eq!(names(&two), ["cost_vs_slo", "heat_map-hpa-0", "curve-hpa-0", "heat_map-hpa-1", "curve-hpa-1"]);
    for (name, bytes) in &two {
        let beginning: &[u8] = if name.ends_with("png") { b"\x89PNG" } else { b"<" };
        assert!(bytes.starts_with(beginning), "{name}");
    }
}

#[test]
fn numbers_are_in_order_and_words_as_they_came() {
    let two = plots(&["target", "routing"], &points(&["10", "9", "20"], &["random", "leastRequests"]));
    let map = &two.iter().find(|(name, _)| name == "plots/heat_map-hpa-0.svg").expect("there is a map").1;
    let svg = String::from_utf8_lossy(map);
    let place = |label: &str| svg.find(&format!(">{label}<")).unwrap_or_else(|| panic!("no label {label}"));
    assert!(place("9") < place("10") && place("10") < place("20"));
    assert!(place("random") < place("leastRequests"));
}

#[test]
fn points_without_requests_are_left_out_and_nothing_but_them_gives_no_plot() {
    let mut points = points(&["1", "2"], &[""]);
    points[0].slo_attainment = exactly(f64::NAN);
    assert_eq!(names(&plots(&["target"], &points)), ["cost_vs_slo", "curve"]);
    for point in &mut points {
        point.slo_attainment = exactly(f64::NAN);
    }
    assert!(names(&plots(&["target"], &points)).is_empty());
}

#[test]
fn more_parameters_and_sampled_ones_give_an_effect_each_and_no_map_of_holes() {
    let mut sampled = points(&["1", "2", "3", "4", "5"], &["6", "7", "8", "9", "10"]);
    sampled.retain(|point| point.settings[0].number + 5.0 == point.settings[1].number);
    assert_eq!(names(&plots(&["a", "b"], &sampled)), ["cost_vs_slo", "effect-a", "effect-b"]);
    let mut three = points(&["1", "2"], &["3", "4"]);
    three.iter_mut().enumerate().for_each(|(index, point)| point.settings.push(value(["x", "y"][index % 2])));
    let three = plots(&["a", "b", "c"], &three);
    assert_eq!(names(&three), ["cost_vs_slo", "effect-a", "effect-b", "effect-c"]);
}

#[test]
fn the_page_has_every_plot_and_what_nothing_beats_first() {
    let files = plots(&["target", "<b>"], &points(&["10", "9", "20"], &["random", "leastRequests"]));
    let (name, page) = files.last().expect("there is a page");
    let page = String::from_utf8_lossy(page);
    assert_eq!(name, "report.html");
    assert_eq!(page.matches("<figure").count(), names(&files).len());
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
    // Every further point costs more and attains more: all six are on the front, the cheapest first.
    let page = page.replace("<tr class=\"chosen\">", "<tr>");
    let rows: Vec<&str> = page.split("<tr><td").skip(1).collect();
    assert_eq!(rows.len(), 6 + 12);
    assert!(rows[0].contains("$1.00") && rows[5].contains("$6.00"));
    assert!(!page.contains("http://") || page.matches("http://").count() == page.matches("http://www.w3.org").count());
}

fn page(points: &[SweepPoint]) -> String {
    let files = plots(&["target"], points);
    let page = files.iter().find(|(name, _)| name == "report.html").expect("the page");
    String::from_utf8(page.1.clone()).expect("text")
}

#[test]
fn the_page_says_which_setting_to_choose_and_how_to_run_it() {
    // 90, 91, 92, … % at $1, $2, $3, …: the sixth is the first that meets 95 %.
    let page = page(&points(&["10", "20", "30", "40", "50", "60", "70"], &[""]));
    assert!(page.contains("choose hpa with target 60: $6.00 a run, 95.00 % met the SLO"), "{page}");
    let page = page.replace("&#x2f;", "/");
    assert!(page.contains("scalelab run scenarios/x --policy hpa --set service.target=60 --seed 1001"), "{page}");
    assert_eq!(page.matches("<tr class=\"chosen\">").count(), 2, "in both tables");
}

#[test]
fn a_page_without_a_setting_that_meets_says_so() {
    let page = page(&points(&["10", "20"], &[""]));
    assert!(page.contains("none of these settings meets 95 %"), "{page}");
    assert!(page.contains("stamp-misses"), "{page}");
}

#[test]
fn every_point_of_the_plot_says_what_it_is() {
    let files = plots(&["target"], &points(&["10", "20"], &[""]));
    let scatter = files.iter().find(|(name, _)| name == "plots/cost_vs_slo.svg").expect("the plot");
    let scatter = String::from_utf8(scatter.1.clone()).expect("text");
    assert!(scatter.contains("<title>HPA with target 20: $2.00, 91.00 % met the SLO</title>"), "{scatter}");
}
