//! Tables of a recording, as text. An empty cell is a gap.

use live::{Grid, Imported, Observed, PodStart, ReplicaPath};

use super::when::shown;

/// `traffic.csv`.
pub fn traffic(found: &Imported, grid: Grid, rows: std::ops::Range<usize>) -> String {
    let seconds = grid.step_ms as f64 / 1e3;
    let line = |row: usize| {
        let rate = found.requests.rows[row].map(|count| trimmed(count / seconds)).unwrap_or_default();
        format!("{},{rate}\n", shown(grid.at_ms(row)))
    };
    "time,requests_per_s\n".to_owned() + &rows.map(line).collect::<String>()
}

/// `replicas.csv`.
pub fn replicas(path: &ReplicaPath, grid: Grid, rows: std::ops::Range<usize>) -> String {
    let cell = |count: Option<u32>| count.map(|count| count.to_string()).unwrap_or_default();
    let line = |row: usize| {
        let [wanted, existing, ready] = [&path.wanted, &path.existing, &path.ready].map(|counts| cell(counts[row]));
        format!("{},{wanted},{existing},{ready}\n", shown(grid.at_ms(row)))
    };
    "time,wanted,existing,ready\n".to_owned() + &rows.map(line).collect::<String>()
}

/// `pods.csv`.
pub fn pods(pods: &[PodStart]) -> String {
    let cell = |at: Option<i64>| at.map(|at| shown(at * 1_000)).unwrap_or_default();
    let line = |pod: &PodStart| {
        let moments = [pod.created_s, pod.scheduled_s, pod.started_s, pod.ready_s].map(cell);
        format!("{},{}\n", pod.pod, moments.join(","))
    };
    "pod,created,scheduled,started,ready\n".to_owned() + &pods.iter().map(line).collect::<String>()
}

/// `observed.csv`.
pub fn observed(observed: &Observed, grid: Grid) -> String {
    let cell = |column: &Vec<Option<f64>>, row: usize| column[row].map(trimmed).unwrap_or_default();
    let line = |row: usize| {
        let cells: Vec<String> = observed.values.iter().map(|column| cell(column, row)).collect();
        format!("{},{}\n", shown(grid.at_ms(row)), cells.join(","))
    };
    format!("time,{}\n", observed.columns.join(",")) + &(0..grid.rows).map(line).collect::<String>()
}

/// Six digits after the point, without zeros at the end.
fn trimmed(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
