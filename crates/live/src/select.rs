//! Selectors: which series are the service's.

/// A text as PromQL writes it.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

/// A text in which a regular expression finds itself only.
fn literal(text: &str) -> String {
    let special = |letter: char| !(letter.is_ascii_alphanumeric() || letter == '-' || letter == '_');
    text.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter])).collect()
}

/// What follows the name of a Deployment in its pods' names: a hash and five letters, both without vowels, so that pods of `chat-decode` are
/// none of `chat`. Of a StatefulSet it is a number.
const PODS: &str = "[bcdfghjklmnpqrstvwxz2456789]+-[bcdfghjklmnpqrstvwxz2456789]{5}";

/// How the series of a service are told from those of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers {
    /// Name of the workload.
    pub service: String,
    /// Its namespace, where it is given.
    pub namespace: Option<String>,
    /// Matchers of the user's own, each as PromQL writes it, in place of the one on pods.
    pub own: Vec<String>,
}

impl Matchers {
    /// What is between the braces for series that the pods of the service show.
    pub fn of_pods(&self) -> String {
        self.pods_by("pod")
    }

    /// The same where the pod is called by another label.
    pub fn pods_by(&self, label: &str) -> String {
        let pods = format!("{label}=~{}", quoted(&format!("{}-({PODS}|[0-9]+)", literal(&self.service))));
        self.join(vec![pods])
    }

    /// What is between the braces for requests: the user's own matchers, or those on pods.
    pub fn of_requests(&self) -> String {
        if self.own.is_empty() { self.of_pods() } else { self.own.join(",") }
    }

    /// What is between the braces for the workload object, whose name is in `label`.
    pub fn of_workload(&self, label: &str) -> String {
        self.join(vec![format!("{label}={}", quoted(&self.service))])
    }

    fn join(&self, mut parts: Vec<String>) -> String {
        parts.extend(self.namespace.as_ref().map(|namespace| format!("namespace={}", quoted(namespace))));
        parts.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_told_by_its_pods_and_a_name_is_no_pattern() {
        let matchers = Matchers { service: "llm.v2".to_owned(), namespace: Some("a\"b".to_owned()), own: Vec::new() };
        assert_eq!(matchers.of_pods(), format!(r#"pod=~"llm\\.v2-({PODS}|[0-9]+)",namespace="a\"b""#));
        assert_eq!(matchers.of_workload("deployment"), r#"deployment="llm.v2",namespace="a\"b""#);
        let own = Matchers { own: vec!["route=\"chat\"".to_owned(), "code!~\"5..\"".to_owned()], ..matchers };
        assert_eq!(own.of_requests(), r#"route="chat",code!~"5..""#);
    }
}
