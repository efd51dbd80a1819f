//! Values that a label can have, as far as a scenario tells before it runs.

use std::sync::Arc;

use promql::Matcher;
use regex::Regex;

use crate::facts::Facts;
use crate::target::{Template, Variable};

/// Letters of generated names.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// Examples of a name that a run makes up.
const EXAMPLES: usize = 32;

/// Values that a label can have.
#[derive(Clone, Debug)]
pub enum Domain {
    /// One of these.
    Known(Vec<String>),
    /// Names that the run makes up: all of them, and some examples.
    Pattern {
        /// Covers every name there can be.
        regex: Regex,
        /// Some of them.
        examples: Arc<[String]>,
    },
    /// The scenario cannot know it; what is assumed where no query tells.
    Bindable(String),
    /// Anything.
    Any,
}

/// How a condition on a label comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Some value passes.
    Yes,
    /// It passes if the label has this value, which nothing speaks against.
    IfBound(String),
    /// No value passes.
    No,
}

impl Domain {
    /// The values of a template.
    pub fn of(template: &Template, facts: &Facts) -> Self {
        if template.variables().next().is_none() {
            return Self::Known(vec![template.text().to_owned()]);
        }
        let examples: Arc<[String]> =
            (0..EXAMPLES).map(|index| template.fill(|variable| example(variable, facts, index))).collect();
        let mut pattern = regex::escape(template.text());
        for (word, variable) in Variable::ALL {
            pattern = pattern.replace(&regex::escape(&format!("{{{word}}}")), &covering(variable, facts));
        }
        match Regex::new(&format!("^(?:{pattern})$")) {
            Ok(regex) => Self::Pattern { regex, examples },
            Err(_) => Self::Any,
        }
    }

    /// Whether a condition can hold; `may_lack` if the label may be absent.
    pub fn fit(&self, matcher: &Matcher, may_lack: bool) -> Fit {
        if may_lack && matcher.is_match_value("") {
            return Fit::Yes;
        }
        let fits = match self {
            Self::Known(values) => values.iter().any(|value| matcher.is_match_value(value)),
            Self::Pattern { regex, examples } => {
                examples.iter().any(|value| matcher.is_match_value(value))
                    || matcher.words().iter().any(|word| regex.is_match(word))
            }
            Self::Any => true,
            Self::Bindable(assumed) => {
                if matcher.is_match_value(assumed) {
                    return Fit::Yes;
                }
                return value_for(matcher).map_or(Fit::No, Fit::IfBound);
            }
        };
        if fits { Fit::Yes } else { Fit::No }
    }

    /// The values in words: `"a" or "b"`, or an example.
    pub fn text(&self) -> String {
        match self {
            Self::Known(values) => match values.as_slice() {
                [only] => format!("{only:?}"),
                [first, rest @ .., last] if rest.len() < 7 => {
                    let all: Vec<String> = [first].into_iter().chain(rest).map(|value| format!("{value:?}")).collect();
                    format!("{} or {last:?}", all.join(", "))
                }
                [first, .., last] => format!("one of {} values from {first:?} to {last:?}", values.len()),
                [] => "nothing".to_owned(),
            },
            Self::Pattern { examples, .. } => format!("such as {:?}", examples[0]),
            Self::Bindable(assumed) => format!("{assumed:?}, which is assumed"),
            Self::Any => "anything".to_owned(),
        }
    }

    /// The values as a matcher: `="a"`, `=~"llm-.*"`.
    pub fn matcher_text(&self) -> String {
        match self {
            Self::Known(values) if values.len() == 1 => format!("={:?}", values[0]),
            Self::Known(values) if values.len() <= 8 => format!("=~{:?}", values.join("|")),
            Self::Known(values) => format!(" ({} values)", values.len()),
            Self::Pattern { examples, .. } => format!(" (such as {:?})", examples[0]),
            Self::Bindable(assumed) => format!("={assumed:?} (assumed; a query may name another)"),
            Self::Any => String::new(),
        }
    }

    /// Whether there can be several values at once.
    pub fn is_varied(&self) -> bool {
        matches!(self, Self::Pattern { .. } | Self::Any)
    }
}

/// A value that a condition asks for: one of its words, or its pattern with the wildcards taken out.
fn value_for(matcher: &Matcher) -> Option<String> {
    if matcher.is_negated() {
        // Another value than the assumed one.
        return matcher.is_match_value("other").then(|| "other".to_owned());
    }
    if let Some(word) = matcher.words().first() {
        return (!word.is_empty()).then(|| (*word).to_owned());
    }
    let text = matcher.text();
    let pattern = text.split_once("=~\"")?.1.strip_suffix('"')?.replace("\\\\", "\\");
    let first = pattern.trim_matches(['^', '$', '(', ')']).split('|').next()?;
    let plain =
        first.replace(".*", "").replace(".+", "x").replace("[0-9]+", "0").replace("\\.", ".").replace("[a-z]+", "x");
    (!plain.is_empty() && matcher.is_match_value(&plain)).then_some(plain)
}

/// A value of a variable, the `index`-th example.
fn example(variable: Variable, facts: &Facts, index: usize) -> String {
    let is_stateful = facts.workload_kind == "StatefulSet";
    match variable {
        Variable::Pod | Variable::HolderPod if is_stateful => format!("{}-{index}", facts.workload),
        Variable::Pod | Variable::HolderPod => {
            format!("{}-{}-{}", facts.workload, letters(index, 9 + index % 2), letters(index + 7, 5))
        }
        Variable::ReplicaSet => format!("{}-{}", facts.workload, letters(index, 9 + index % 2)),
        Variable::PodIp => format!("10.{}.{}.{}", index % 4, index % 7, 1 + index),
        Variable::NodeIp => format!("10.0.{}.{}", index % 7, 1 + index),
        Variable::PodUid | Variable::GpuUuid => {
            let prefix = if variable == Variable::GpuUuid { "GPU-" } else { "" };
            format!("{prefix}0a1b2c3d-0000-4000-8000-{index:012x}")
        }
        Variable::Node => format!("node-{index}"),
        Variable::Gpu => (index % 8).to_string(),
        Variable::GpuModel => "NVIDIA H100 80GB HBM3".to_owned(),
        Variable::ExporterPod => format!("nvidia-dcgm-exporter-{}", letters(index, 5)),
        Variable::HolderContainer => facts.container.clone(),
        Variable::HolderNamespace => facts.namespace.clone(),
    }
}

/// Letters that look drawn and are always the same.
fn letters(index: usize, count: usize) -> String {
    let mut state = index.wrapping_mul(7_919).wrapping_add(104_729);
    let mut text = String::new();
    for _ in 0..count {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        text.push(char::from(ALPHABET[(state >> 8) % ALPHABET.len()]));
    }
    text
}

/// A pattern of every value that a variable can have.
fn covering(variable: Variable, facts: &Facts) -> String {
    let name = regex::escape(&facts.workload);
    let generated = "[bcdfghjklmnpqrstvwxz2456789]";
    let is_stateful = facts.workload_kind == "StatefulSet";
    match variable {
        Variable::Pod | Variable::HolderPod if is_stateful => format!("{name}-[0-9]+(-[0-9]+)?"),
        Variable::Pod | Variable::HolderPod => format!("{name}-{generated}{{9,10}}-{generated}{{5}}"),
        Variable::ReplicaSet => format!("{name}-{generated}{{9,10}}"),
        Variable::PodIp | Variable::NodeIp => "[0-9]+(\\.[0-9]+){3}".to_owned(),
        Variable::PodUid => "[0-9a-f-]+".to_owned(),
        Variable::GpuUuid => "GPU-[0-9a-f-]+".to_owned(),
        Variable::Gpu => "[0-9]+".to_owned(),
        Variable::ExporterPod => format!("[a-z0-9-]+-{generated}{{5}}"),
        Variable::HolderContainer => regex::escape(&facts.container),
        Variable::HolderNamespace => regex::escape(&facts.namespace),
        Variable::Node | Variable::GpuModel => ".+".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domain(template: &str) -> Domain {
        Domain::of(&Template::new(template), &Facts::new("llm", "chat"))
    }

    fn pattern(pattern: &str) -> Matcher {
        Matcher::pattern("pod", pattern).expect("a pattern")
    }

    #[test]
    fn names_that_a_run_makes_up_fit_the_patterns_people_write() {
        let pods = domain("{pod}");
        for written in ["llm-.*", "llm-[a-z0-9]+-[a-z0-9]+", ".+"] {
            assert_eq!(pods.fit(&pattern(written), false), Fit::Yes, "{written}");
        }
        assert_eq!(pods.fit(&pattern("llm-[0-9]+"), false), Fit::No);
        assert_eq!(pods.fit(&Matcher::equal("pod", "llm-bcdfghjkl-bcdfg"), false), Fit::Yes);
        assert_eq!(pods.fit(&Matcher::equal("pod", "chat-0"), false), Fit::No);
        assert_eq!(domain("{pod_ip}:8000").fit(&pattern("10\\..*:8000"), false), Fit::Yes);
    }

    #[test]
    fn a_label_that_may_be_absent_passes_as_empty() {
        let holder = domain("{holder_pod}");
        assert_eq!(holder.fit(&Matcher::equal("pod", ""), true), Fit::Yes);
        assert_eq!(holder.fit(&Matcher::equal("pod", ""), false), Fit::No);
    }

    #[test]
    fn what_the_scenario_cannot_know_takes_the_value_asked_for() {
        let model = Domain::Bindable("model".to_owned());
        assert_eq!(model.fit(&Matcher::equal("model", "resnet"), false), Fit::IfBound("resnet".to_owned()));
        assert_eq!(model.fit(&pattern("resnet.*|bert"), false), Fit::IfBound("resnet".to_owned()));
        assert_eq!(model.fit(&pattern(".+"), false), Fit::Yes);
    }
}
