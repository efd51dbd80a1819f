//! Documents with recording rules: PrometheusRule and its likes, a rule file without kind or in a ConfigMap, and chart values that hold one.
//!
//! Alerts in them have no effect on scaling and are counted. Evaluating what is read here is `promql::rules`' business.

use std::collections::BTreeMap;

use promql::rules::{GroupConfig, RuleConfig, RuleGroup};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::tree::Node;

use super::adapter::embedded;
use super::label_selector::text_map;
use super::monitors::{duration, group_kind};

/// Whose rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleOrigin {
    /// prometheus-operator's: evaluated every 30 s unless said.
    Operator,
    /// A Prometheus of its own chart, or a file: every minute unless said.
    Server,
    /// Google's: what they read and give is limited to a namespace, or to nothing.
    Google {
        /// The namespace of `Rules`.
        namespace: Option<String>,
    },
    /// VictoriaMetrics': every minute unless said.
    Victoria,
}

/// A group as read, with the places of its rules.
#[derive(Clone, Debug)]
pub struct RuleGroupFile {
    /// Title of the document, for notes.
    pub title: String,
    /// Whose it is.
    pub origin: RuleOrigin,
    /// `interval`, if it says so.
    pub interval: Option<SimDuration>,
    /// The group without its interval; alerts left out.
    pub config: GroupConfig,
    /// Where each rule's `expr` stands, and its path.
    pub places: Vec<(Node, String)>,
    /// Alerts that were left out.
    pub alerts: usize,
    /// Where the group stands.
    pub node: Node,
    /// Its path.
    pub path: String,
}

/// Kinds that hold groups below `spec`.
const KINDS: [(&str, &str); 6] = [
    ("monitoring.coreos.com", "PrometheusRule"),
    ("azmonitoring.coreos.com", "PrometheusRule"),
    ("monitoring.googleapis.com", "Rules"),
    ("monitoring.googleapis.com", "ClusterRules"),
    ("monitoring.googleapis.com", "GlobalRules"),
    ("operator.victoriametrics.com", "VMRule"),
];

/// Keys of chart values that hold rule files by name.
const IN_CHARTS: [&[&str]; 3] =
    [&["serverFiles"], &["additionalPrometheusRulesMap"], &["kube-prometheus-stack", "additionalPrometheusRulesMap"]];

/// Whether a document without kind holds recording rules.
pub fn holds_groups(node: &Node) -> bool {
    !group_lists(node, "").is_empty()
}

/// All groups of a document; none if it holds none.
pub fn read_groups(node: &Node, title: &str) -> Result<Vec<RuleGroupFile>, ScenarioError> {
    let (group, kind) = group_kind(node);
    if (group, kind) == ("", "ConfigMap") {
        return in_config_map(node, title);
    }
    let namespace = node.at(&["metadata", "namespace"]).and_then(Node::text).map(str::to_owned);
    let origin = match (group, kind) {
        ("", _) => None,
        ("operator.victoriametrics.com", _) => Some(RuleOrigin::Victoria),
        ("monitoring.googleapis.com", "Rules") => Some(RuleOrigin::Google { namespace }),
        ("monitoring.googleapis.com", _) => Some(RuleOrigin::Google { namespace: None }),
        _ => Some(RuleOrigin::Operator),
    };
    let lists = match &origin {
        Some(origin) if KINDS.contains(&(group, kind)) => {
            let list = node.at(&["spec", "groups"]);
            list.map(|list| (list, "spec.groups".to_owned(), origin.clone())).into_iter().collect()
        }
        None if kind.is_empty() => group_lists(node, ""),
        _ => Vec::new(),
    };
    let mut groups = Vec::new();
    for (list, path, origin) in lists {
        for (index, item) in list.items().iter().enumerate() {
            groups.push(read_group(item, &format!("{path}[{index}]"), (title, &origin))?);
        }
    }
    Ok(groups)
}

/// Whether a ConfigMap holds rule files for a Prometheus that mounts it.
pub fn holds_rule_files(node: &Node) -> bool {
    rule_files(node).next().is_some()
}

/// Values of a ConfigMap that are rule files, by key: their groups begin a line.
fn rule_files(node: &Node) -> impl Iterator<Item = (&str, &Node)> {
    let is_group_line = |line: &str| line.strip_prefix("groups:").is_some_and(|rest| rest.trim().is_empty());
    let data = node.get("data").map(Node::entries).unwrap_or_default().iter();
    data.filter(move |entry| {
        let is_file = [".rules", ".yaml", ".yml"].iter().any(|ending| entry.key.ends_with(ending));
        is_file && entry.value.text().is_some_and(|text| text.lines().any(is_group_line))
    })
    .map(|entry| (entry.key.as_str(), &entry.value))
}

/// The groups of a ConfigMap's rule files. Each file is a namespace of its own for their names.
fn in_config_map(node: &Node, title: &str) -> Result<Vec<RuleGroupFile>, ScenarioError> {
    let mut groups = Vec::new();
    for (key, text) in rule_files(node) {
        let Some(file) = embedded(text)? else { continue };
        let path = format!("data{}", step(key));
        for (list, path, origin) in group_lists(&file, &path) {
            let title = format!("{title} {key}");
            for (index, item) in list.items().iter().enumerate() {
                groups.push(read_group(item, &format!("{path}[{index}]"), (&title, &origin))?);
            }
        }
    }
    Ok(groups)
}

/// Lists of groups in a document without kind, each with its path.
fn group_lists<'n>(node: &'n Node, above: &str) -> Vec<(&'n Node, String, RuleOrigin)> {
    let path = |keys: &str| if above.is_empty() { keys.to_owned() } else { format!("{above}.{keys}") };
    let mut found = Vec::new();
    if let Some(groups) = node.get("groups").filter(|groups| is_group_list(groups)) {
        found.push((groups, path("groups"), RuleOrigin::Server));
    }
    for keys in IN_CHARTS {
        let origin = if keys == ["serverFiles"] { RuleOrigin::Server } else { RuleOrigin::Operator };
        for entry in node.at(keys).map(Node::entries).unwrap_or_default() {
            if let Some(groups) = entry.value.get("groups").filter(|groups| is_group_list(groups)) {
                let path = path(&format!("{}{}.groups", keys.join("."), step(&entry.key)));
                found.push((groups, path, origin.clone()));
            }
        }
    }
    // An umbrella chart has the values of its parts under their names.
    if above.is_empty()
        && let Some(part) = node.get("prometheus").filter(|part| part.get("serverFiles").is_some())
    {
        found.extend(group_lists(part, "prometheus"));
    }
    found
}

/// A key as paths show it below another: one with dots in brackets and quotes.
fn step(key: &str) -> String {
    if key.contains('.') { format!("[\"{key}\"]") } else { format!(".{key}") }
}

/// `groups:` of other files are other things.
fn is_group_list(node: &Node) -> bool {
    node.items().iter().any(|group| group.get("rules").is_some_and(|rules| !rules.items().is_empty()))
}

fn read_group(node: &Node, path: &str, of: (&str, &RuleOrigin)) -> Result<RuleGroupFile, ScenarioError> {
    let time = |keys: [&str; 2]| {
        let found = keys.into_iter().find_map(|key| node.get(key).map(|value| (key, value)));
        found.map(|(key, value)| duration(value, &format!("{path}.{key}"))).transpose()
    };
    let interval = time(["interval", "interval"])?;
    let offset = time(["query_offset", "queryOffset"])?.unwrap_or(SimDuration::ZERO);
    let mut file = RuleGroupFile {
        title: of.0.to_owned(),
        origin: of.1.clone(),
        interval,
        config: GroupConfig {
            name: node.get("name").and_then(Node::text).unwrap_or_default().to_owned(),
            interval_ms: 0,
            query_offset_ms: (offset.as_nanos() / 1_000_000) as i64,
            limit: node.get("limit").and_then(Node::text).and_then(|text| text.parse().ok()).unwrap_or(0),
            labels: text_map(node.get("labels")),
            ..GroupConfig::default()
        },
        places: Vec::new(),
        alerts: 0,
        node: node.clone(),
        path: path.to_owned(),
    };
    if let RuleOrigin::Google { namespace: Some(namespace) } = of.1 {
        file.config.scope.insert("namespace".to_owned(), namespace.clone());
    }
    for (index, rule) in node.get("rules").map(Node::items).unwrap_or_default().iter().enumerate() {
        let path = format!("{path}.rules[{index}]");
        let Some(record) = rule.get("record").and_then(Node::text).filter(|record| !record.is_empty()) else {
            file.alerts += 1;
            continue;
        };
        let missing = || ScenarioError::MissingKey { at: rule.locate(path.clone()), key: "expr".to_owned() };
        let expression = rule.get("expr").ok_or_else(missing)?;
        file.config.rules.push(RuleConfig {
            record: record.to_owned(),
            expression: expression.text().ok_or_else(missing)?.to_owned(),
            labels: text_map(rule.get("labels")),
        });
        file.places.push((expression.clone(), format!("{path}.expr")));
    }
    Ok(file)
}

impl RuleGroupFile {
    /// The group, ready to be evaluated at `interval` unless it has its own.
    pub fn resolve(&self, interval: SimDuration) -> Result<RuleGroup, ScenarioError> {
        let interval = self.interval.unwrap_or(interval);
        let config =
            GroupConfig { interval_ms: (interval.as_nanos() / 1_000_000).max(1) as i64, ..self.config.clone() };
        RuleGroup::new(&config, 0).map_err(|(index, error)| {
            let (node, path) = &self.places[index];
            ScenarioError::Inconsistent { at: node.locate(path.clone()), reason: error.to_string() }
        })
    }

    /// Names it records, with how often each.
    pub fn records(&self) -> BTreeMap<&str, usize> {
        self.config.rules.iter().fold(BTreeMap::new(), |mut all, rule| {
            *all.entry(rule.record.as_str()).or_default() += 1;
            all
        })
    }
}
