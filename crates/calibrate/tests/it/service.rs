//! Do fits of batch times recover the parameters that results were made from?

use calibrate::{batching, triton_perf_analyzer};

const TRITON_HEADER: &str = "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,Server Compute Input,\
                             Server Compute Infer,Server Compute Output,Client Recv,p50 latency,p90 latency,p95 latency,p99 latency";

fn triton(infer_micros: u32) -> String {
    format!(
        "{TRITON_HEADER}\n1,69.2,225,2148,64,200,{infer_micros},20,0,1,1,1,1\n4,84.2,279,1604,33669,200,{infer_micros},20,1,1,1,1,1\n"
    )
}

#[test]
fn the_line_through_batch_sizes_is_recovered() {
    // 8 ms and 1.5 ms a request, of which 220 us are input and output.
    let runs: Vec<_> = [1, 4, 8, 16]
        .into_iter()
        .flat_map(|batch| triton_perf_analyzer(&triton(8_000 + 1_500 * batch - 220), batch).unwrap())
        .collect();
    let fit = batching(&runs).unwrap();
    assert!((fit.base_s - 0.008).abs() < 1e-6 && (fit.per_request_s - 0.0015).abs() < 1e-6, "{fit:?}");
    assert_eq!(
        fit.yaml(),
        "service:\n  model:\n    dynamicBatching:\n      batchMax: 16\n      latency: {affine: {base: 8ms, perRequest: 1.5ms}}\n"
    );
}

#[test]
fn a_curve_that_is_no_line_is_given_as_points() {
    let runs: Vec<_> = [(1, 10_000), (8, 10_000), (16, 40_000)]
        .into_iter()
        .flat_map(|(batch, micros)| triton_perf_analyzer(&triton(micros - 220), batch).unwrap())
        .collect();
    assert!(
        batching(&runs)
            .unwrap()
            .yaml()
            .contains("points: [{batch: 1, latency: 10ms}, {batch: 8, latency: 10ms}, {batch: 16, latency: 40ms}]")
    );
}

#[test]
fn one_batch_size_alone_is_all_fixed_and_said_so() {
    let fit = batching(&triton_perf_analyzer(&triton(11_780), 1).unwrap()).unwrap();
    assert_eq!((fit.per_request_s, fit.notes.len()), (0.0, 1));
}

#[test]
fn a_file_that_is_not_perf_analyzers_names_the_missing_column() {
    assert_eq!(
        triton_perf_analyzer("a,b\n1,2\n", 1).unwrap_err().to_string(),
        "perf_analyzer CSV: no column `Server Compute Infer` (columns: a, b)"
    );
    let wrong = format!("{TRITON_HEADER}\n1,69,1,1,1,1,fast,1,1,1,1,1,1\n");
    assert_eq!(
        triton_perf_analyzer(&wrong, 1).unwrap_err().to_string(),
        "perf_analyzer CSV: `Server Compute Infer of line 2` is `fast`; expected microseconds"
    );
}
