//! A controller's pass in words, as one would tell it to a colleague: the same in the terminal and on the page.

use record::{DecisionRow, MetricRow};

/// The pass at `when`, what came of it first.
pub fn decision_words(row: &DecisionRow, when: &str) -> String {
    let mut text = format!(
        "{} at {when}: {}\n  {} wanted before, {} ready\n",
        row.controller,
        decision_outcome(row),
        row.replicas_before,
        row.replicas_ready
    );
    for metric in &row.metrics {
        text += &format!("  metric {}\n", metric_words(metric));
    }
    if let Some(raw) = row.raw {
        text += &format!("  together the metrics ask for {raw}\n");
    }
    for step in &row.steps {
        let change = if step.before == step.after {
            format!("{} stays", step.before)
        } else {
            format!("{} -> {}", step.before, step.after)
        };
        text += &format!("  {}: {change} ({})\n", step.name, step.note);
    }
    text += &match row.written {
        Some((what, value)) => format!("  written: {what} = {value} ({})\n", row.reason),
        None => format!("  nothing written ({})\n", row.reason),
    };
    text
}

/// What a pass did in one line, and what kept it from doing more or less.
pub fn decision_outcome(row: &DecisionRow) -> String {
    let asked = row.raw.map(|raw| format!("the metrics ask for {raw}"));
    // Conditions tell what was done; they do nothing.
    let last = row.steps.iter().rev().find(|step| step.before != step.after && step.name != "conditions");
    let kept = last.map(|step| format!("{} made it {} ({})", step.name, step.after, step.note));
    let because: Vec<String> = [asked, kept].into_iter().flatten().collect();
    let because = if because.is_empty() { row.reason.clone() } else { because.join(", ") };
    match row.written {
        Some(("replicas", value)) if value > row.replicas_before => format!("scales up to {value}: {because}"),
        Some(("replicas", value)) if value < row.replicas_before => format!("scales down to {value}: {because}"),
        Some((what, value)) => format!("writes {what} = {value}: {because}"),
        None => {
            let unread = row.metrics.iter().filter(|metric| metric.replicas.is_none()).count();
            let unread = if unread == 0 {
                String::new()
            } else {
                format!(", {unread} of {} metrics gave no proposal", row.metrics.len())
            };
            format!("stays at {}: {because}{unread}", row.replicas_before)
        }
    }
}

/// A metric as the controller saw it.
pub fn metric_words(metric: &MetricRow) -> String {
    let value = metric.value.map_or("could not be read".to_owned(), |value| format!("is {}", rounded(value)));
    let age = metric.age.map(|age| format!(", {:.1} s old", age.as_secs_f64())).unwrap_or_default();
    let ratio = metric.ratio.map(|ratio| format!(", ratio {ratio:.4}")).unwrap_or_default();
    let wish = metric.replicas.map_or("no proposal".to_owned(), |replicas| format!("asks for {replicas}"));
    let note = if metric.note.is_empty() { String::new() } else { format!(" ({})", metric.note) };
    format!("{} {value} against a target of {}{ratio}{age}: {wish}{note}", metric.metric, rounded(metric.target))
}

fn rounded(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
