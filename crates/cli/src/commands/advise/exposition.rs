//! Advice in Prometheus' text format, for a textfile collector or whoever serves the file.

use super::ServiceAdvice;

/// All of it. What is not known has no sample of replicas.
pub fn exposition(advices: &[ServiceAdvice], at_ms: i64) -> String {
    let (mut wanted, mut recommended, mut known) = (Vec::new(), Vec::new(), Vec::new());
    for of in advices {
        let namespace = of.advice.namespace.as_ref().map(|name| format!(",namespace={}", quoted(name)));
        let labels = format!("service={}{}", quoted(&of.service), namespace.unwrap_or_default());
        wanted.push(format!("scalelab_current_replicas{{{labels}}} {}\n", of.advice.replicas.0));
        for policy in &of.advice.policies {
            let labels = format!("{{{labels},policy={}}}", quoted(&policy.policy));
            if let Ok(replicas) = policy.replicas {
                recommended.push(format!("scalelab_recommended_replicas{labels} {replicas}\n"));
            }
            known.push(format!("scalelab_recommendation_known{labels} {}\n", u8::from(policy.replicas.is_ok())));
        }
    }
    up(true)
        + &family(
            "scalelab_advise_timestamp_seconds",
            "The moment that the advice is of.",
            &[format!("scalelab_advise_timestamp_seconds {}\n", at_ms as f64 / 1e3)],
        )
        + &family("scalelab_current_replicas", "Replicas that are wanted now (spec.replicas).", &wanted)
        + &family("scalelab_recommended_replicas", "Replicas that the policy would ask for now.", &recommended)
        + &family("scalelab_recommendation_known", "1 where it can be known what the policy would ask for.", &known)
}

/// The same when nothing could be asked.
pub fn failed() -> String {
    up(false)
}

fn up(is_up: bool) -> String {
    let sample = format!("scalelab_advise_up {}\n", u8::from(is_up));
    family("scalelab_advise_up", "1 if the Prometheus of the cluster answered.", &[sample])
}

fn family(name: &str, help: &str, samples: &[String]) -> String {
    if samples.is_empty() {
        return String::new();
    }
    format!("# HELP {name} {help}\n# TYPE {name} gauge\n{}", samples.concat())
}

/// A label's value.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
