//! Traces: inspected, converted, made up, described.

use report::{ParquetFile, Table};

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
fn adapters_of_a_trace_stay_with_their_requests_in_every_format() {
    let lab = Lab::new();
    let csv = "arrival_s,prompt_tokens,output_tokens,adapter\n1,7,8,sql\n2,9,10,\n3,9,10,\"a,b\"\n4,1,1,sql\n";
    lab.write("a.csv", csv);
    lab.out("trace convert a.csv a.parquet");
    assert_eq!(lab.out("trace convert a.parquet -"), csv);
    let line =
        |at: u32, rest: &str| format!("{{\"timestamp\": {at}, \"input_length\": 7, \"output_length\": 8{rest}}}\n");
    lab.write("a.jsonl", &(line(1_000, "") + &line(2_000, ", \"adapter\": 5") + &line(3_000, ", \"adapter\": null")));
    let told = "arrival_s,prompt_tokens,output_tokens,adapter\n1,7,8,\n2,7,8,5\n3,7,8,\n";
    assert_eq!(lab.out("trace convert a.jsonl -"), told);
    lab.write("odd.csv", "when,lora\n1,x\n2,y\n");
    assert_eq!(lab.out("trace convert odd.csv - --arrival when --adapter lora"), "arrival_s,adapter\n1,x\n2,y\n");
    assert!(lab.refused("trace inspect odd.csv --arrival when --adapter lorra").contains("did you mean `lora`?"));
    let shown = lab.out("trace inspect a.csv");
    let said = "adapters       2, most often `sql` (50.0 % of the requests); 25.0 % are for the base model";
    assert!(shown.contains(said), "{shown}");
    lab.write("bad.jsonl", &line(1_000, ", \"adapter\": [1]"));
    insta::assert_snapshot!(lab.refused("trace convert bad.jsonl -"), @"error: bad.jsonl:1: adapter `[1]` is not a name or a whole number");
}

#[test]
fn tables_count_how_often_the_adapters_of_a_trace_are_loaded() {
    let lab = Lab::new();
    // So far apart that each is served alone: with one slot every change of adapter is a load.
    lab.write(
        "a.csv",
        "arrival_s,prompt_tokens,output_tokens,adapter\n5,9,9,x\n15,9,9,x\n25,9,9,y\n35,9,9,\n45,9,9,x\n",
    );
    let spec = |traffic: &str, adapters: &str| {
        scenario(&format!(
            "  traffic: {{trace: {{file: a.csv}}{traffic}}}\n  service: {{pod: {{gpus: 1}}, model: {{continuousBatching: {{sequencesMax: 8, \
             batchedTokensMax: 512, kvTokens: 4096, iterationMin: 9ms, iterationBase: 6ms, perKvToken: 62ns, perPromptToken: 20us{adapters}}}}}}}\n  \
             nodes: {{manager: {{serverless: {{price: $1/h}}}}}}\n"
        ))
    };
    let column = |file: &str| {
        let text = lab.read(file);
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        let place = lines.next().unwrap().iter().position(|name| name == "adapter_loads")?;
        Some(lines.map(|cells| cells[place].parse::<u64>().unwrap()).collect::<Vec<_>>())
    };
    lab.write("with.yaml", &spec(", adapters: {fromTrace: true}", ", adapters: {maxActive: 1}"));
    lab.out("run with.yaml -o out --quiet --set spec.run.timelineStep=10s");
    assert_eq!(column("out/timeline.csv"), Some(vec![1, 0, 1, 0, 1, 0]));
    assert_eq!(column("out/replicas.csv"), Some(vec![3]));
    lab.write("without.yaml", &spec("", ""));
    lab.out("run without.yaml -o out --quiet");
    assert_eq!((column("out/timeline.csv"), column("out/replicas.csv")), (None, None));
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

#[test]
fn parquet_is_written_and_read_back_to_the_nanosecond() {
    let lab = Lab::new();
    lab.out("trace synthesize --rate 400req/s --duration 5m --seed 5 -o a.csv");
    lab.out("trace convert a.csv a.parquet");
    assert!(lab.out("trace convert a.parquet -") == lab.read("a.csv"));
    let shown = lab.out("trace inspect a.parquet");
    assert!(shown.contains("Parquet with arrivals and tokens"), "{shown}");
    assert_eq!(
        shown.lines().skip(2).collect::<Vec<_>>(),
        lab.out("trace inspect a.csv").lines().skip(2).collect::<Vec<_>>()
    );
    let error = lab.refused("trace inspect a.parquet --arrival arival_s");
    assert!(error.contains("a.parquet: no column `arival_s`; did you mean `arrival_s`?"), "{error}");
}

const TINY_SERVICE: &str = "  service: {pod: {gpus: 1}, model: {slots: {serviceTime: 4ms}}}\n  nodes: {manager: {serverless: {price: $1/h}}}\n";

/// The figures of a run of this trace.
fn run_of(lab: &Lab, trace: &str, options: &str) -> String {
    let spec = format!("  traffic: {{trace: {{file: {trace}}}}}\n{TINY_SERVICE}");
    lab.write("traced.yaml", &scenario(&spec));
    lab.out(&format!("run traced.yaml -o out --quiet {options}"));
    lab.read("out/summary.csv")
}

#[test]
fn a_trace_is_parsed_once_and_a_changed_one_is_parsed_again() {
    let lab = Lab::new();
    lab.out("trace synthesize --rate 200req/s --duration 2m --seed 5 --no-cache -o a.csv");
    let caches = |folder: &str| -> Vec<std::path::PathBuf> {
        let entries = std::fs::read_dir(lab.path(folder)).into_iter().flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().ends_with(".scalelab-cache")).collect()
    };
    let parsed = run_of(&lab, "a.csv", "--no-cache");
    assert!(caches(".").is_empty(), "--no-cache leaves nothing");
    assert_eq!(run_of(&lab, "a.csv", ""), parsed, "the run that writes the cache");
    let cache = caches(".").pop().expect("a cache beside the trace");
    let written = std::fs::read(&cache).unwrap();
    assert_eq!(run_of(&lab, "a.csv", ""), parsed, "the run that reads it");
    assert_eq!(run_of(&lab, "a.csv", "--cache-dir kept"), parsed);
    assert_eq!(caches("kept").len(), 1);

    // One bit of a request in the middle.
    let mut damaged = written.clone();
    damaged[written.len() / 2] ^= 1;
    std::fs::write(&cache, &damaged).unwrap();
    assert_eq!(run_of(&lab, "a.csv", ""), parsed, "a damaged cache is not used");
    assert!(std::fs::read(&cache).unwrap() == written, "and written anew");
    std::fs::write(&cache, &written[..written.len() - 100]).unwrap();
    assert_eq!(run_of(&lab, "a.csv", ""), parsed, "nor one that is cut short");
    std::fs::write(&cache, "something else").unwrap();
    assert_eq!(run_of(&lab, "a.csv", ""), parsed, "nor something else");

    // Another trace of the same length under the same name.
    lab.out("trace synthesize --rate 200req/s --duration 2m --seed 6 -o a.csv");
    let changed = run_of(&lab, "a.csv", "");
    assert_ne!(changed, parsed);
    assert_eq!(run_of(&lab, "a.csv", "--no-cache"), changed);
}

#[test]
fn formats_of_one_trace_give_the_same_run() {
    let lab = Lab::new();
    lab.out("trace synthesize --rate 200req/s --duration 2m --seed 5 -o a.csv");
    for file in ["a.csv.gz", "a.parquet"] {
        lab.out(&format!("trace convert a.csv {file}"));
    }
    let [plain, packed, parquet] = ["a.csv", "a.csv.gz", "a.parquet"].map(|file| run_of(&lab, file, ""));
    assert_eq!(plain, packed);
    assert_eq!(plain, parquet);
}

#[test]
fn parquet_of_other_writers_is_read_as_it_is_packed_and_brotli_refused() {
    let lab = Lab::new();
    assert!(lab.out("trace inspect @lz4.parquet").contains("15.750 s"));
    let error = lab.refused("trace inspect @brotli.parquet");
    assert!(error.contains("column `arrival_s` is packed with Brotli, which is not read here: write"), "{error}");
}

fn parquet(lab: &Lab, name: &str, table: &Table) {
    let mut file = ParquetFile::create(&lab.path(name), table).unwrap();
    file.push(table).unwrap();
    file.push(table).unwrap();
    file.finish().unwrap();
}

#[test]
fn what_is_wrong_in_parquet_is_named_by_its_row_and_nothing_is_written() {
    let lab = Lab::new();
    let times = [Some(1.0), Some(2.5), Some(3.0)].into_iter();
    let tokens = || [7u64, 8, 9].into_iter();
    let table = |times: Table| times.count("prompt_tokens", tokens()).count("output_tokens", tokens());
    // Twice the same group of rows: the fourth row goes back in time.
    parquet(&lab, "back.parquet", &table(Table::default().number("arrival_s", times)));
    parquet(
        &lab,
        "gap.parquet",
        &table(Table::default().number("arrival_s", [Some(1.0), None, Some(3.0)].into_iter())),
    );
    parquet(&lab, "text.parquet", &table(Table::default().text("arrival_s", ["1", "2.5", "soon"].into_iter())));
    parquet(&lab, "names.parquet", &table(Table::default().number("when", [1.0, 2.0, 3.0].into_iter())));
    lab.write("cut.parquet", "PAR1 and nothing more");
    let refused = |name: &str| {
        lab.write("traced.yaml", &scenario(&format!("  traffic: {{trace: {{file: {name}}}}}\n{TINY_SERVICE}")));
        let error = lab.refused("run traced.yaml -o out --save-requests");
        assert!(!lab.path("out").exists(), "something was written");
        error.lines().next().unwrap_or_default().to_owned()
    };
    insta::assert_snapshot!(refused("back.parquet"), @"error: back.parquet:4: arrives before the row above; rows must be in order of arrival");
    insta::assert_snapshot!(refused("gap.parquet"), @"error: gap.parquet:2: column `arrival_s` is empty");
    insta::assert_snapshot!(refused("text.parquet"), @"error: text.parquet:3: arrival `soon` is not a time");
    insta::assert_snapshot!(refused("names.parquet"), @"error: names.parquet: format not recognised from the first line `when,prompt_tokens,output_tokens`; name the columns under `columns` with `format: columns`");
    insta::assert_snapshot!(refused("cut.parquet"), @"error: cut.parquet: not readable as Parquet: parquet: File out of specification: The file must end with PAR1");
}

#[test]
fn a_recorded_rate_in_parquet_is_the_one_in_csv() {
    let lab = Lab::new();
    lab.write("rate.csv", "t,kind,rps\n0,a,50\n0,b,9\n30,a,150\n60,a,0\n");
    let rows = [(0.0, "a", 50.0), (0.0, "b", 9.0), (30.0, "a", 150.0), (60.0, "a", 0.0)];
    let table = Table::default()
        .number("t", rows.iter().map(|row| row.0))
        .text("kind", rows.iter().map(|row| row.1))
        .number("rps", rows.iter().map(|row| row.2));
    let mut file = ParquetFile::create(&lab.path("rate.parquet"), &table).unwrap();
    file.push(&table).unwrap();
    file.finish().unwrap();
    let run = |series: &str| run_of_series(&lab, series);
    let [csv, parquet] = ["rate.csv", "rate.parquet"]
        .map(|file| run(&format!("file: {file}, value: rps, valueUnit: perSecond, where: {{kind: a}}")));
    assert_eq!(csv, parquet);
    // The same as bare counts, without times.
    lab.write("counts.csv", "requests\n1500\n4500\n0\n");
    assert_eq!(run("file: counts.csv, every: 30s, valueUnit: perInterval"), csv);
    let refused = lab.refused("run rated.yaml --set traffic.generator.rate.series.time=requests");
    assert!(refused.contains("counts.csv: has its times by `time` or by `every`, not by both"), "{refused}");
}

#[test]
fn a_recorded_rate_is_followed_row_by_row() {
    let lab = Lab::new();
    // Every second second is busy: looked at every 10 s, all of them or none would be.
    let rows: String = (0..60).map(|second| if second % 2 == 0 { "300\n" } else { "0\n" }).collect();
    lab.write("counts.csv", &format!("requests\n{rows}"));
    let summary = run_of_series(&lab, "file: counts.csv, every: 1s, valueUnit: perInterval");
    let requests: f64 = summary.lines().nth(1).and_then(|row| row.split(',').nth(2)).unwrap().parse().unwrap();
    // A Poisson number of mean 9,000: four standard deviations.
    assert!((requests - 9_000.0).abs() < 4.0 * 9_000_f64.sqrt(), "{requests}");
}

/// The figures of a run of this recorded rate.
fn run_of_series(lab: &Lab, series: &str) -> String {
    let rate = format!("{{series: {{{series}}}}}");
    lab.write("rated.yaml", &scenario(&format!("  traffic: {{generator: {{rate: {rate}}}}}\n{TINY_SERVICE}")));
    lab.out("run rated.yaml -o out --quiet");
    lab.read("out/summary.csv")
}

#[test]
fn traffic_is_added_and_multiplied() {
    let lab = Lab::new();
    lab.out("trace synthesize --rate 40req/s --duration 2m --seed 5 -o a.csv");
    let requests = |traffic: &str| -> f64 {
        lab.write("traced.yaml", &scenario(&format!("  traffic: {traffic}\n{TINY_SERVICE}")));
        lab.out("run traced.yaml -o out --quiet --replications 1");
        let summary = lab.read("out/summary.csv");
        summary.lines().nth(1).and_then(|row| row.split(',').nth(2)).unwrap().parse().unwrap()
    };
    let trace = requests("{trace: {file: a.csv}}");
    let burst = requests("{generator: {rate: 30req/s}}");
    // The trace's requests are the same ones in a sum; those of a process are drawn anew: four standard deviations of 1,800.
    let sum = requests("{sum: [{trace: {file: a.csv}}, {generator: {rate: 30req/s}}]}");
    assert!((sum - trace - burst).abs() < 4.0 * (2.0 * 1_800_f64).sqrt(), "{sum}, {trace} + {burst}");
    // Half of the minute at a quarter, half of it at twice.
    let factor = "{points: {at: [{time: 29999ms, level: 25%}, {time: 30s, level: 200%}]}}";
    let product = requests(&format!("{{trace: {{file: a.csv}}, factor: {factor}}}"));
    let expected = 40.0 * (30.0 * 0.25 + 30.0 * 2.0);
    assert!((product - expected).abs() < 4.0 * (4.0 * expected).sqrt(), "{product}, not {expected}");
    let both = requests(&format!(
        "{{sum: [{{trace: {{file: a.csv}}}}, {{generator: {{rate: 30req/s}}, scale: 50%}}], factor: {factor}}}"
    ));
    let expected = 55.0 * (30.0 * 0.25 + 30.0 * 2.0);
    assert!((both - expected).abs() < 4.0 * (4.0 * expected).sqrt(), "{both}, not {expected}");

    let refused = |traffic: &str| {
        lab.write("traced.yaml", &scenario(&format!("  traffic: {traffic}\n{TINY_SERVICE}")));
        lab.refused("run traced.yaml -o out2").lines().next().unwrap_or_default().to_owned()
    };
    insta::assert_snapshot!(refused("{sum: []}"), @"error: traced.yaml:9:18: spec.traffic.sum: needs at least one part");
    insta::assert_snapshot!(refused("{sum: [{scale: 10%}]}"), @"error: traced.yaml:9:19: spec.traffic.sum[0]: needs `trace` or `generator`");
    insta::assert_snapshot!(refused("{sum: [{trace: {file: a.csv}}], clip: {to: 1s}}"), @"error: traced.yaml:9:12: spec.traffic: `clip` and `repeat` go to the traces in `sum`");
    insta::assert_snapshot!(refused("{trace: {file: a.csv}, factor: 3req/s}"), @"error: traced.yaml:9:43: spec.traffic.factor: is a rate (`req/s`); a factor such as `70%` is needed. Rates are added as parts of a `sum`");
    insta::assert_snapshot!(refused("{sum: [{generator: {rate: 1req/s}}], generator: {rate: 1req/s}}"), @"error: traced.yaml:9:12: spec.traffic: only one of `trace`, `generator` and `sum`");
    insta::assert_snapshot!(refused("{sum: [{sum: []}]}"), @"error: traced.yaml:9:20: spec.traffic.sum[0]: unknown key `sum` (one of: trace, generator, scale, factor, repeat, shift, clip)");
}
