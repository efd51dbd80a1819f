//! The answer as a whole: whether it is PromQL, of a type its reader takes, and of how many elements.

use promql::{AnswerType, Outline, QueryError};

use super::{Finding, Reader, Severity, Topic, candidates, passing};
use crate::domain::Domain;
use crate::registry::{Registry, Shown};
use crate::target::{Kind, TargetOf};

/// A query that is none.
pub(super) fn broken(text: &str, error: &QueryError) -> Finding {
    let (what, help) = match error {
        QueryError::Parse { reason, .. } => (format!("not a PromQL query: {reason}"), template(text)),
        QueryError::UnsupportedFunction { function, supported, .. } => {
            (format!("the function {function} is not supported"), Some(format!("supported are: {supported}")))
        }
        QueryError::NeverEvaluates { reason, .. } => (format!("the query fails at every evaluation: {reason}"), None),
        QueryError::UnsupportedFeature { feature, .. } => (format!("a Prometheus server refuses {feature}"), None),
    };
    let offset = unbalanced(text).or_else(|| variable(text)).or_else(|| pattern_in(text, error)).unwrap_or(0);
    let what = match unbalanced(text) {
        Some(at) => {
            format!("{what}; the bracket or quote at character {} has no partner", text[..at].chars().count() + 1)
        }
        None => what,
    };
    Finding::new(Severity::Error, Topic::Query, offset, what).with_help(help)
}

/// Where something of another language begins. `$1` and the end of a pattern are of this one.
fn variable(text: &str) -> Option<usize> {
    let is_name =
        |at: usize| text[at + 1..].starts_with(|letter: char| letter.is_ascii_alphabetic() || "_{".contains(letter));
    let dollar = text.match_indices('$').map(|(at, _)| at).find(|at| is_name(*at));
    ["{{", "[["].iter().filter_map(|mark| text.find(mark)).chain(dollar).min()
}

/// What a text that is not rendered yet has in it.
pub(super) fn template(text: &str) -> Option<String> {
    let rest = &text[variable(text)?..];
    let word: String =
        rest.chars().take_while(|letter| !letter.is_whitespace() && !",\"'".contains(*letter)).take(40).collect();
    Some(if rest.starts_with("{{") {
        format!("{word} is a template; give the query as it is after rendering")
    } else {
        format!("{word} is a Grafana variable; write what it stands for")
    })
}

/// Where the regular expression stands that an error speaks of.
fn pattern_in(text: &str, error: &QueryError) -> Option<usize> {
    let (QueryError::Parse { reason, .. } | QueryError::NeverEvaluates { reason, .. }) = error else { return None };
    let quoted = reason.strip_prefix("invalid regular expression ")?;
    let pattern = quoted.strip_prefix('"')?.rsplit_once("\": ")?.0;
    text.find(pattern)
}

/// The first bracket or quote without a partner.
fn unbalanced(text: &str) -> Option<usize> {
    let mut open: Vec<(usize, char)> = Vec::new();
    let mut quote: Option<(usize, char)> = None;
    let mut is_escaped = false;
    for (at, letter) in text.char_indices() {
        if let Some((_, mark)) = quote {
            match letter {
                _ if is_escaped => is_escaped = false,
                '\\' => is_escaped = true,
                letter if letter == mark => quote = None,
                _ => {}
            }
            continue;
        }
        match letter {
            '"' | '\'' | '`' => quote = Some((at, letter)),
            '(' => open.push((at, ')')),
            '{' => open.push((at, '}')),
            '[' => open.push((at, ']')),
            ')' | '}' | ']' => match open.pop() {
                Some((_, partner)) if partner == letter => {}
                _ => return Some(at),
            },
            _ => {}
        }
    }
    quote.map(|(at, _)| at).or_else(|| open.first().map(|(at, _)| *at))
}

/// An answer that its reader cannot take.
pub(super) fn of_type(reader: Reader, answer: AnswerType) -> Option<Finding> {
    let text = match (reader, answer) {
        (_, AnswerType::Vector) | (Reader::Other, AnswerType::Scalar) => return None,
        (Reader::Keda, AnswerType::Scalar) => {
            "the query gives a scalar, and KEDA can read a vector of one element only"
        }
        (Reader::Keda, AnswerType::Matrix) => {
            "the query gives a range vector, and KEDA can read an instant vector of one element only"
        }
        (_, AnswerType::Matrix) => "the query gives a range vector where an instant vector is needed",
        (_, AnswerType::Scalar) => "the query gives a scalar where an instant vector is needed",
        (_, AnswerType::Text) => "the query gives a text",
    };
    let help = (answer == AnswerType::Scalar).then(|| "write vector(…) around it".to_owned());
    Some(Finding::new(Severity::Error, Topic::Query, 0, text).with_help(help))
}

/// Says so if the answer can have several elements, which KEDA refuses.
pub(super) fn several(outline: &Outline, registry: &Registry) -> Option<Finding> {
    for selector in &outline.selectors {
        let Some(kept) = &selector.kept else { continue };
        let all = candidates(selector, registry);
        let matched = passing(selector, &all);
        let is_pinned = |label: &str| {
            selector.matchers.iter().any(|matcher| matcher.name() == label && matcher.equal_value().is_some())
        };
        let varied = |shown: &&Shown| {
            let mut labels = shown.labels.iter().filter(|(label, _)| kept.keeps(label) && !is_pinned(label));
            labels.find(|(_, domain)| domain.is_varied()).map(|(label, _)| label.clone())
        };
        let new = |text: String| {
            let finding = Finding::new(Severity::Warning, Topic::Answer, selector.offset, text);
            Some(finding.with_help(["an aggregate makes one of them: sum(…), max(…) or avg(…)".to_owned()]))
        };
        if let Some(label) = matched.iter().filter(|shown| shown.kind != Kind::Recorded).find_map(varied) {
            let whose = match matched[0].of {
                TargetOf::Node => "of every GPU or node",
                _ => "of every replica",
            };
            return new(format!(
                "the answer has an element {whose} (label {label}), and KEDA takes one only: the trigger fails from the second replica on"
            ));
        }
        let count: usize =
            matched.iter().map(|shown| elements(shown, |label| kept.keeps(label) && !is_pinned(label))).sum();
        let are_told_apart = matched.len() < 2 || is_told_apart(&matched, |label| kept.keeps(label));
        if count > 1 && are_told_apart {
            return new(format!(
                "the answer has {count} elements, and KEDA takes one only: the trigger fails at every poll"
            ));
        }
    }
    None
}

/// How many elements a series stands for: its bounds, where they are kept.
fn elements(shown: &Shown, keeps: impl Fn(&str) -> bool) -> usize {
    let known = shown.labels.iter().filter(|(label, _)| keeps(label)).map(|(_, domain)| match domain {
        Domain::Known(values) => values.len().max(1),
        _ => 1,
    });
    known.product()
}

/// Whether any two of these differ in a label that is kept.
fn is_told_apart(matched: &[&Shown], keeps: impl Fn(&str) -> bool) -> bool {
    let texts = |shown: &Shown| {
        let kept = shown.labels.iter().filter(|(label, _)| keeps(label));
        kept.map(|(label, domain)| (label.clone(), domain.text())).collect::<Vec<_>>()
    };
    let first = texts(matched[0]);
    matched.iter().any(|shown| texts(shown) != first)
}
