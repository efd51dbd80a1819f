//! Traces: inspected, converted, made up, described.

use super::support::{Lab, scenario};

#[test]
fn a_trace_is_inspected_without_a_word_about_its_format() {
    let shown = Lab::new().out("trace inspect @trace.csv");
    let lines: Vec<&str> = shown.lines().filter(|line| !line.starts_with("file")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    format         CSV with dates and tokens, as Azure's
    requests       4
    span           2.500 s, from 0.000 s to 2.500 s
    rate           1.2000 req/s on average
    busiest second 2.0000 req/s
    gaps           coefficient of variation 1.054 (a constant Poisson process has 1)
                   25.0 % of requests arrive together with the one before
    prompt tokens  mean 250.0, p50 200, p90 400, p99 400, max 400
    output tokens  mean 25.0, p50 20, p90 40, p99 40, max 40
    ");
}

#[test]
fn a_converted_trace_keeps_every_request_to_the_nanosecond() {
    let lab = Lab::new();
    lab.out("trace convert @trace.csv plain.csv");
    insta::assert_snapshot!(lab.read("plain.csv"), @r"
    arrival_s,prompt_tokens,output_tokens
    0,100,10
    0.75,200,20
    2.5,300,30
    2.5,400,40
    ");
    // Packed and back again.
    lab.out("trace convert plain.csv packed.csv.gz");
    assert_eq!(lab.out("trace convert packed.csv.gz -"), lab.read("plain.csv"));
}

#[test]
fn a_synthesized_trace_is_the_same_for_the_same_seed_and_runs() {
    let lab = Lab::new();
    lab.out("trace synthesize --rate 5req/s --duration 2m --seed 3 -o a.csv");
    lab.out("trace synthesize --rate 5req/s --duration 2m --seed 3 -o b.csv");
    lab.out("trace synthesize --rate 5req/s --duration 2m --seed 4 -o c.csv");
    assert_eq!(lab.read("a.csv"), lab.read("b.csv"));
    assert_ne!(lab.read("a.csv"), lab.read("c.csv"));
    let spec = "  traffic: {trace: {file: a.csv}}\n  service: {pod: {gpus: 1}, model: {slots: {serviceTime: 5ms}}}\n  nodes: {manager: {serverless: {price: $1/h}}}\n";
    lab.write("tiny.yaml", &scenario(spec));
    lab.out("run tiny.yaml -o out --quiet");
}

#[test]
fn a_fit_finds_the_medians_a_trace_was_made_with_and_is_a_scenario() {
    let lab = Lab::new();
    lab.out("trace synthesize --rate 50req/s --duration 4m --prompt-tokens 500,1500 --output-tokens 64,64 --seed 9 -o made.csv");
    let fit = lab.out("trace fit made.csv --interval 1m");
    assert!(fit.contains("process: poisson") && fit.contains("outputTokens: 64 #"), "{fit}");
    let median: f64 =
        fit.split("promptTokens: {logNormal: {p50: ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    // 12,000 draws: four standard errors of the median's logarithm are 3.1 %.
    assert!((median / 500.0 - 1.0).abs() < 0.031, "{median}");
    let engine = "      sequencesMax: 64\n      batchedTokensMax: 4096\n      kvTokens: 400000\n      iterationMin: 9ms\n      iterationBase: 6ms\n      perKvToken: 60ns\n      perPromptToken: 20us\n";
    let spec: String = fit.lines().map(|line| format!("  {line}\n")).collect();
    let spec = spec
        .replace("    model:\n", "    pod: {gpus: 1}\n    model:\n")
        .replace("  service:\n", "  nodes: {manager: {serverless: {price: $1/h}}}\n  service:\n");
    let engine: String = engine.lines().map(|line| format!("  {line}\n")).collect();
    lab.write("fitted.yaml", &scenario(&format!("{spec}{engine}")));
    lab.out("run fitted.yaml -o out --quiet");
}

#[test]
fn a_trace_of_no_known_format_is_read_by_naming_its_columns() {
    let lab = Lab::new();
    lab.write("odd.csv", "when,in,out\n1500,7,8\n2500,9,10\n");
    assert!(lab.refused("trace inspect odd.csv").contains("name its column of arrivals with --arrival"));
    let shown = lab.out(
        "trace convert odd.csv - --arrival when --arrival-unit milliseconds --prompt-tokens in --output-tokens out",
    );
    assert_eq!(shown, "arrival_s,prompt_tokens,output_tokens\n1.5,7,8\n2.5,9,10\n");
    assert!(lab.refused("trace inspect odd.csv --arrival whne").contains("did you mean `when`?"));
}

#[test]
fn mistakes_name_the_option_and_leave_nothing_behind() {
    let lab = Lab::new();
    insta::assert_snapshot!(lab.refused("trace synthesize --rate 5 --duration 10m -o x.csv"), @"error: --rate 5: expected a request rate with its unit such as `12req/s` or `90req/min`");
    assert!(
        lab.refused("trace synthesize --rate 5req/s --duration 10m --prompt-tokens 9 -o x.csv")
            .contains("such as 1000,2700")
    );
    assert!(lab.refused("trace inspect nowhere.csv").contains("nowhere.csv: cannot be read"));
    lab.write("unsorted.csv", "arrival\n2\n1\n");
    assert!(lab.refused("trace convert unsorted.csv x.csv").contains("rows must be in order of arrival"));
    assert_eq!(lab.names(), ["unsorted.csv"]);
}
