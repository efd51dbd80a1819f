//! Amounts of resources that the API server refuses: a container with one of them never runs.
//!
//! Source: `ValidateResourceRequirements` of `pkg/apis/core/validation/validation.go`.

use std::collections::BTreeMap;

use names::nearest;

use super::Quantity;

/// Resources without a domain that containers may ask for, beside `hugepages-SIZE`.
const NATIVE: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];

/// What is wrong with `requests` and `limits` of a container: the path below them, and why.
pub fn problem(requests: &BTreeMap<String, Quantity>, limits: &BTreeMap<String, Quantity>) -> Option<(String, String)> {
    let both = [("requests", requests), ("limits", limits)];
    let mut amounts = both.iter().flat_map(|(side, map)| map.iter().map(move |(name, amount)| (*side, name, *amount)));
    let refused = amounts.find_map(|(side, name, amount)| Some((format!("{side}.{name}"), of_one(name, amount)?)));
    refused.or_else(|| {
        requests.iter().find_map(|(name, request)| {
            let reason = of_two(name, *request, limits.get(name).copied())?;
            Some((format!("requests.{name}"), reason))
        })
    })
}

fn of_one(name: &str, amount: Quantity) -> Option<String> {
    if amount.0 < 0 {
        return Some("is negative; Kubernetes refuses it".to_owned());
    }
    let is_extended = name.contains('/');
    if !is_extended && !NATIVE.contains(&name) && !name.starts_with("hugepages-") {
        let near = nearest(name, NATIVE).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Some(format!(
            "`{name}` is no resource; one without a domain is `cpu`, `memory` or `ephemeral-storage`{near}"
        ));
    }
    (is_extended && amount.0 % 1000 != 0)
        .then(|| format!("asks for a part of one; Kubernetes takes whole numbers of `{name}` only"))
}

fn of_two(name: &str, request: Quantity, limit: Option<Quantity>) -> Option<String> {
    match limit {
        Some(limit) if name.contains('/') && limit != request => Some(
            "is not what the limit says; Kubernetes takes equal ones only, as it cannot give such resources twice"
                .to_owned(),
        ),
        Some(limit) if request > limit => Some("is more than the limit; Kubernetes refuses it".to_owned()),
        None if name.contains('/') => {
            Some("has no limit beside it; Kubernetes wants the same number in `limits`".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(requests: &[(&str, i64)], limits: &[(&str, i64)]) -> Option<String> {
        let map =
            |pairs: &[(&str, i64)]| pairs.iter().map(|(name, milli)| ((*name).to_owned(), Quantity(*milli))).collect();
        problem(&map(requests), &map(limits)).map(|(path, _)| path)
    }

    #[test]
    fn what_kubernetes_takes_passes() {
        let gpu = ("nvidia.com/gpu", 1_000);
        assert_eq!(check(&[], &[gpu, ("cpu", 500)]), None);
        assert_eq!(check(&[gpu, ("cpu", 500)], &[gpu, ("cpu", 1_500), ("hugepages-2Mi", 1_000)]), None);
        assert_eq!(check(&[("memory", 1)], &[]), None);
    }

    #[test]
    fn what_kubernetes_refuses_is_refused_where_it_stands() {
        let gpu = |milli| ("nvidia.com/gpu", milli);
        let limits = Some("limits.nvidia.com/gpu".to_owned());
        assert_eq!(check(&[], &[gpu(-1_000)]), limits);
        assert_eq!(check(&[], &[gpu(500)]), limits);
        assert_eq!(check(&[gpu(1_000)], &[gpu(2_000)]), Some("requests.nvidia.com/gpu".to_owned()));
        assert_eq!(check(&[gpu(1_000)], &[]), Some("requests.nvidia.com/gpu".to_owned()));
        assert_eq!(check(&[("cp", 1_500)], &[]), Some("requests.cp".to_owned()));
        assert_eq!(check(&[("cpu", 2_000)], &[("cpu", 1_000)]), Some("requests.cpu".to_owned()));
    }
}
