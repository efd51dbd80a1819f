//! What the plots and the page say, and what they must not do.

use report::{RunReport, cold_start_phases, cost_breakdown, cost_vs_slo, latency_cdf, overview, report_html, timeline};
use units::SimDuration;

use crate::fixture::{Day, THREE, day};

fn with_report<T>(day: &Day, check: impl FnOnce(&RunReport<'_>) -> T) -> T {
    let policies = day.outcomes();
    check(&day.report(&policies))
}

fn assert_says(svg: &str, words: &[&str]) {
    for word in words {
        assert!(svg.contains(&format!(">{word}<")), "the plot does not say {word:?}");
    }
}

#[test]
fn plots_name_policies_units_and_the_slo() {
    with_report(&day(&THREE), |report| {
        let names = ["hpa-cpu-70", "keda-queue", "predictive+warm-pool"];
        for plot in [
            overview(report),
            latency_cdf(report),
            cost_vs_slo(report),
            cost_breakdown(report),
            cold_start_phases(report),
        ] {
            assert_says(&plot.to_svg(), &names);
        }
        let alone = timeline(report, &report.policies[0]).to_svg();
        assert_says(
            &alone,
            &["Traffic (requests/s)", "Replicas", "Latency (log scale)", "Cost per hour", "SLO 500 ms", "Tue 3 Mar"],
        );
        assert_says(&cost_vs_slo(report).to_svg(), &["cost in dollars for 24 h", "objective 99 %"]);
        assert_says(&latency_cdf(report).to_svg(), &["SLO: 99 % within 500 ms"]);
    });
}

/// The labels of the axes to the left of panels, top to bottom.
fn heights(svg: &str) -> Vec<&str> {
    let labels =
        svg.lines().filter(|line| line.starts_with("<text x=\"94.0\"") && line.contains("text-anchor=\"end\""));
    labels.collect()
}

#[test]
fn the_same_height_means_the_same_under_every_policy() {
    let mut day = day(&THREE);
    for row in &mut day.details[1].services[0].timeline {
        (row.ready, row.desired, row.queue) = (77, 77, 4_000);
    }
    with_report(&day, |report| {
        let svgs: Vec<String> = report.policies.iter().map(|policy| timeline(report, policy).to_svg()).collect();
        assert!(heights(&svgs[0]).len() > 12, "{:?}", heights(&svgs[0]));
        assert_eq!(heights(&svgs[0]), heights(&svgs[1]));
        assert_eq!(heights(&svgs[0]), heights(&svgs[2]));
    });
}

#[test]
fn no_policy_hides_another_in_the_overview() {
    with_report(&day(&THREE), |report| {
        let svg = overview(report).to_svg();
        // A row each: each policy's name stands at a height of its own, and each has the traffic's axis of time.
        let names = report.policies.iter().map(|policy| format!(">{}</text>", policy.name()));
        let lines: Vec<&str> = names.map(|name| svg.lines().find(|line| line.ends_with(&name)).unwrap()).collect();
        let place = |line: &str| line.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse::<f64>().unwrap();
        assert!(lines.windows(2).all(|pair| place(pair[1]) - place(pair[0]) > 60.0), "{lines:?}");
        assert_eq!(svg.matches("data-policy=").count(), 3);
    });
}

#[test]
fn png_and_svg_have_the_same_size() {
    with_report(&day(&THREE), |report| {
        let plot = cost_breakdown(report);
        let png = plot.to_png();
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        assert_eq!(png[16..24], [1600u32.to_be_bytes(), 900u32.to_be_bytes()].concat());
        assert!(plot.to_svg().contains("width=\"1600\" height=\"900\""));
    });
}

#[test]
fn attainments_orders_of_magnitude_apart_get_an_axis_of_nines() {
    let mut day = day(&THREE);
    for (summary, attainment) in day.summaries.iter_mut().zip([0.9, 0.999, 0.999_9]) {
        summary.slo_attainment.mean = attainment;
        (summary.slo_attainment.low, summary.slo_attainment.high) = (f64::NAN, f64::NAN);
    }
    with_report(&day, |report| assert_says(&cost_vs_slo(report).to_svg(), &["90 %", "99 %", "99.9 %", "99.99 %"]));
}

#[test]
fn policies_at_the_same_point_keep_separate_labels() {
    let mut day = day(&THREE);
    for summary in &mut day.summaries {
        (summary.cost_usd.mean, summary.slo_attainment.mean) = (100.0, 0.99);
    }
    let svg = with_report(&day, |report| cost_vs_slo(report).to_svg());
    let positions: Vec<&str> = ["hpa-cpu-70", "keda-queue", "predictive+warm-pool"]
        .iter()
        .map(|name| {
            let line = svg.lines().find(|line| line.contains(&format!(">{name}</text>"))).unwrap();
            line.split(" font-size").next().unwrap()
        })
        .collect();
    assert!(
        positions[0] != positions[1] && positions[1] != positions[2] && positions[0] != positions[2],
        "{positions:?}"
    );
}

#[test]
fn odd_runs_are_drawn_without_panic() {
    let mut day = day(&THREE);
    for detail in &mut day.details {
        let service = &mut detail.services[0];
        service.timeline.truncate(1);
        service.totals.slo_total = 0;
        for row in &mut service.timeline {
            (row.arrivals, row.latency_p50_ns, row.latency_p99_ns) = (0, None, None);
            row.step = SimDuration::from_secs(1);
        }
    }
    for summary in &mut day.summaries {
        summary.latency.clear();
        (summary.slo_attainment.mean, summary.pooled.slo_attainment) = (f64::NAN, f64::NAN);
        (summary.slo_attainment.low, summary.slo_attainment.high) = (f64::NAN, f64::NAN);
    }
    with_report(&day, |report| {
        for (name, bytes) in report::files(report) {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!text.starts_with("<svg") || !text.contains("NaN") && !text.contains("inf"), "{name}");
        }
    });
}

#[test]
fn a_hostile_name_stays_text() {
    let mut day = day(&THREE);
    let hostile = "</script><img src=x onerror=alert(1)>\"'&";
    day.summaries[0].pooled.policy = hostile.to_owned();
    day.details[0].remarks = vec![hostile.to_owned()];
    let page = with_report(&day, |report| {
        String::from_utf8(report_html(&RunReport { scenario: hostile, ..*report })).unwrap()
    });
    assert!(!page.contains("<img") && !page.contains("</script><"));
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(page.contains("&lt;img src=x"));
}

#[test]
fn the_page_loads_nothing_and_stays_small() {
    let page = with_report(&day(&THREE), |report| String::from_utf8(report_html(report)).unwrap());
    let links: Vec<&str> = page.split("http").skip(1).map(|rest| &rest[..20.min(rest.len())]).collect();
    // `http-equiv` of the policy, the name space of SVG and where the drawing library is from are no requests.
    let known = ["-equiv", "://www.w3.org/2000", "s://github.com/leeon"];
    assert!(links.iter().all(|link| known.iter().any(|one| link.starts_with(one))), "{links:?}");
    assert!(page.contains("default-src &#x27;none&#x27;") || page.contains("default-src 'none'"));
    assert!(page.len() < 700_000, "{}", page.len());
}
