//! What the interceptor of KEDA's HTTP add-on does besides counting, none of which is modelled: said where it would matter.

use units::SimDuration;

use crate::manifest::{HttpScaledObjectFile, Kind};
use crate::quantity::{Amount, Time};
use crate::tree::Node;

use policy::keda::Release;

use super::Context;

/// From this release on the interceptor waits for a ready pod as long as the client does, and its times have other names.
const PATIENT: Release = Release::new(0, 14, 0);

impl Context<'_> {
    /// The time-outs, the failover and the granularity of an HTTPScaledObject.
    pub(super) fn note_add_on(&mut self, file: &HttpScaledObjectFile) {
        let title = format!("HTTPScaledObject/{}", file.metadata.name);
        let (given, has_failover) =
            (file.spec.timeouts.unwrap_or_default(), file.spec.cold_start_timeout_failover_ref.is_some());
        let release = self.scenario.at(&["spec", "httpAddOn", "version"]).and_then(Node::text).and_then(Release::parse);
        let is_impatient = release.is_some_and(|release| release < PATIENT);
        let usual = |seconds: f64| is_impatient.then(|| SimDuration::from_secs_f64(seconds));
        let wait = given.condition_wait.map(Time::duration).or(usual(20.0));
        let wait = wait.or_else(|| has_failover.then(|| SimDuration::from_secs(30)));
        let header = given.response_header.map(Time::duration).or(usual(0.5));
        self.note_patience(&title, (wait, "for a ready pod"), (header, "for the first byte of the answer"));
        if has_failover {
            self.note_once(format!(
                "{title}: coldStartTimeoutFailoverRef is not modelled: no other service answers while none of its pods does"
            ));
        }
        let rate = file.spec.scaling_metric.and_then(|metric| metric.request_rate);
        let buckets = rate.and_then(|rate| rate.granularity).map(Time::duration);
        self.note_buckets(&title, buckets);
    }

    /// The same of every InterceptorRoute.
    pub(super) fn note_routes(&mut self) {
        let routes: Vec<(String, Node)> =
            self.of_kind(Kind::InterceptorRoute).map(|document| (document.title(), document.node.clone())).collect();
        for (title, node) in routes {
            let time = |keys: &[&str]| node.at(keys).and_then(Node::text).and_then(Time::parse).map(Time::duration);
            let ready = time(&["spec", "timeouts", "readiness"]);
            let header = time(&["spec", "timeouts", "responseHeader"]);
            self.note_patience(&title, (ready, "for a ready pod"), (header, "for the first byte of the answer"));
            self.note_patience(&title, (time(&["spec", "timeouts", "request"]), "for the whole answer"), (None, ""));
            if let Some(entry) = node.at(&["spec", "coldStart"]).map(Node::entries).and_then(<[_]>::first) {
                self.note_once(format!(
                    "{title}: coldStart.{} is not modelled: nothing else answers while none of its pods does",
                    entry.key
                ));
            }
            self.note_buckets(&title, time(&["spec", "scalingMetric", "requestRate", "granularity"]));
        }
    }

    fn note_patience(&mut self, title: &str, one: (Option<SimDuration>, &str), other: (Option<SimDuration>, &str)) {
        let limits =
            [one, other].into_iter().filter_map(|(limit, what)| Some((limit.filter(|limit| !limit.is_zero())?, what)));
        let limits: Vec<String> = limits.map(|(limit, what)| format!("{limit} {what}")).collect();
        if !limits.is_empty() {
            self.note_once(format!(
                "{title}: its interceptor fails requests that wait {}: not modelled, they wait as long as their clients do \
                 (service.client.timeout)",
                limits.join(" or ")
            ));
        }
    }

    fn note_buckets(&mut self, title: &str, length: Option<SimDuration>) {
        if let Some(length) = length.filter(|length| *length > SimDuration::from_secs(1)) {
            self.note_once(format!(
                "{title}: requestRate.granularity {length} is not modelled: the rate is that of the window that ends at the reading, not \
                 of whole buckets of that length"
            ));
        }
    }
}
