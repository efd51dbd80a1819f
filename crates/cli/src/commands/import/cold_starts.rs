//! What new pods went through, as a scenario says it.

use live::PodStart;

/// Fewer pods than this say too little to take the place of a guess.
const PODS_MIN: usize = 3;
/// Longer lists of values are shortened to so many quantiles.
const VALUES_MAX: usize = 21;

/// `coldStart` of these pods; `None` where they are too few.
pub fn text(pods: &[PodStart]) -> Option<String> {
    let both: Vec<(i64, i64)> = pods.iter().filter_map(|pod| Some((pod.pull_s()?, pod.load_s()?))).collect();
    if both.len() < PODS_MIN {
        return None;
    }
    let pulls = values(both.iter().map(|(pull, _)| *pull).collect());
    let loads = values(both.iter().map(|(_, load)| *load).collect());
    Some(format!(
        "  # Measured: {} pods that became ready meanwhile (pods.csv), in whole seconds. From bound to running stands as imagePull (with the\n  \
         # sandbox and init containers), from running to ready as gpuLoad (download, load, warm-up and the readiness probe's wait together).\n  \
         coldStart:\n    imagePull: {pulls}\n    modelDownload: 0s\n    gpuLoad: {loads}\n    cudaWarmUp: 0s\n",
        both.len()
    ))
}

fn values(mut seconds: Vec<i64>) -> String {
    seconds.sort_unstable();
    let last = seconds.len() - 1;
    let count = seconds.len().min(VALUES_MAX);
    let quantile = |index: usize| seconds[(index * last + (count - 1) / 2) / (count - 1)];
    let chosen: Vec<String> = (0..count).map(|index| format!("{}s", quantile(index))).collect();
    format!("{{empirical: [{}]}}", chosen.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_and_many_become_quantiles() {
        assert_eq!(values(vec![5, 3, 4]), "{empirical: [3s, 4s, 5s]}");
        let many = values((0..=200).collect());
        assert!(many.starts_with("{empirical: [0s, 10s, 20s") && many.ends_with("190s, 200s]}"), "{many}");
    }
}
