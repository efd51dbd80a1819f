//! The rules that prometheus-adapter's chart brings along unless told not to (`rules.default`).

use super::config::{GroupResource, NameRule, Resources, Rule, Rules, SeriesFilter};

/// Series of containers, as cAdvisor shows them.
const CONTAINERS: &str = r#"{__name__=~"^container_.*",container!="POD",namespace!="",pod!=""}"#;
/// Everything else that belongs to a namespace.
const OTHERS: &str = r#"{namespace!="",__name__!~"^container_.*"}"#;

impl Rules {
    /// The chart's rules 1 to 6, in their order (prometheus-community/helm-charts, prometheus-adapter 5.3.0). Rules that a user adds come
    /// after them, and of two rules for one name the later wins.
    pub fn chart_defaults() -> Self {
        let of_containers = |is_not: Option<&str>, matches: &str, query: &str| {
            let overrides = [("namespace", "namespace"), ("pod", "pod")];
            Rule {
                series_query: CONTAINERS.to_owned(),
                series_filters: is_not.map(|pattern| SeriesFilter::IsNot(pattern.to_owned())).into_iter().collect(),
                resources: Resources {
                    overrides: overrides.map(|(label, to)| (label.to_owned(), GroupResource::core(to))).into(),
                    ..Resources::default()
                },
                name: NameRule { matches: matches.to_owned(), api_name: String::new() },
                metrics_query: query.to_owned(),
            }
        };
        let of_others = |is_not: Option<&str>, matches: &str, query: &str| Rule {
            series_query: OTHERS.to_owned(),
            series_filters: is_not.map(|pattern| SeriesFilter::IsNot(pattern.to_owned())).into_iter().collect(),
            resources: Resources { template: Some("<<.Resource>>".to_owned()), ..Resources::default() },
            name: NameRule { matches: matches.to_owned(), api_name: String::new() },
            metrics_query: query.to_owned(),
        };
        let container_rate = r#"sum(rate(<<.Series>>{<<.LabelMatchers>>,container!="POD"}[5m])) by (<<.GroupBy>>)"#;
        let container_sum = r#"sum(<<.Series>>{<<.LabelMatchers>>,container!="POD"}) by (<<.GroupBy>>)"#;
        let rate = "sum(rate(<<.Series>>{<<.LabelMatchers>>}[5m])) by (<<.GroupBy>>)";
        let sum = "sum(<<.Series>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)";
        let custom = vec![
            of_containers(None, "^container_(.*)_seconds_total$", container_rate),
            of_containers(Some("^container_.*_seconds_total$"), "^container_(.*)_total$", container_rate),
            of_containers(Some("^container_.*_total$"), "^container_(.*)$", container_sum),
            of_others(Some(".*_total$"), "", sum),
            of_others(Some(".*_seconds_total"), "^(.*)_total$", rate),
            of_others(None, "^(.*)_seconds_total$", rate),
        ];
        Self { custom, external: Vec::new() }
    }
}
