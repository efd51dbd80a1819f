//! `scalelab advise`: what each policy of a scenario would ask for now in a cluster that runs.

mod exposition;
mod json;
mod text;

use std::collections::BTreeSet;

use cluster::spec::ServicePolicy;
use jiff::Timestamp;
use live::Prometheus;
use live::advise::{Advice, Wish};
use scenario::Loaded;

use super::import::{self, failure};
use super::write_bytes;
use crate::args::{AdviceFormat, Advise};
use crate::failure::{Failure, Outcome, Result};
use crate::inputs;
pub use json::schema;

/// What is advised of one service.
pub struct ServiceAdvice {
    /// Its name in the scenario.
    pub service: String,
    /// Its workload in the cluster.
    pub workload: String,
    /// What there is, and what each policy wants.
    pub advice: Advice,
}

/// Asks the server and prints, once or again and again.
pub fn advise(args: &Advise) -> Result<Outcome> {
    let mut loaded = inputs::load(&args.scenario)?;
    inputs::choose_policies(&mut loaded, &args.policy)?;
    let services = services(&loaded, args)?;
    let server = import::server(&args.connection)?;
    if !loaded.notes.is_empty() {
        eprintln!("note: what comes next is of the scenario as `run` takes it; advice looks at the cluster's own past");
    }
    inputs::print_notes(&loaded, args.scenario.reading.verbose);
    let mut said = Said::default();
    let Some(pause) = args.watch else {
        let (at_ms, advices) = once(&loaded, &services, args, (&server, &mut said))?;
        write_bytes(&args.out, shown(&advices, at_ms, args.format).as_bytes())?;
        return Ok(Outcome::Done);
    };
    let mut has_answered = false;
    loop {
        match once(&loaded, &services, args, (&server, &mut said)) {
            Ok((at_ms, advices)) => {
                has_answered = true;
                write_bytes(&args.out, shown(&advices, at_ms, args.format).as_bytes())?;
            }
            // What was never right is the user's to mend; what has worked may work again.
            Err(error) if !has_answered => return Err(error),
            Err(Failure::Input(error) | Failure::Environment(error)) => {
                eprintln!("note: no advice this time: {error:#}");
                if args.format == AdviceFormat::Prometheus {
                    write_bytes(&args.out, exposition::failed().as_bytes())?;
                }
            }
        }
        std::thread::sleep(pause);
    }
}

/// What was said already, and is not said again each time.
#[derive(Default)]
struct Said {
    notes: BTreeSet<String>,
    has_skew: bool,
}

impl Said {
    fn note(&mut self, note: &str) {
        if self.notes.insert(note.to_owned()) {
            eprintln!("note: {note}");
        }
    }

    /// How far clocks are apart changes by the second.
    fn skew(&mut self, note: &str) {
        if !std::mem::replace(&mut self.has_skew, true) {
            eprintln!("note: {note}");
        }
    }
}

fn shown(advices: &[ServiceAdvice], at_ms: i64, format: AdviceFormat) -> String {
    match format {
        AdviceFormat::Text => text::text(advices, at_ms),
        AdviceFormat::Json => json::json(advices, at_ms),
        AdviceFormat::Prometheus => exposition::exposition(advices, at_ms),
    }
}

/// Numbers of the services that are meant.
fn services(loaded: &Loaded, args: &Advise) -> Result<Vec<usize>> {
    let all = &loaded.spec.services;
    let chosen: Vec<usize> = match &args.service {
        None => (0..all.len()).collect(),
        Some(wanted) => (0..all.len()).filter(|number| all[*number].name == *wanted).collect(),
    };
    if let (Some(wanted), []) = (&args.service, chosen.as_slice()) {
        let names: Vec<&str> = all.iter().map(|service| service.name.as_str()).collect();
        let near = names::nearest(wanted, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
        let known = format!("{} (one of: {})", near.unwrap_or_default(), names.join(", "));
        return Err(Failure::input(format!("--service {wanted}: the scenario has no such service{known}")));
    }
    if args.workload.is_some() && chosen.len() > 1 {
        return Err(Failure::input("--workload is of one service: --service says which"));
    }
    Ok(chosen)
}

/// The moment and the advice on each service.
fn once(
    loaded: &Loaded,
    services: &[usize],
    args: &Advise,
    (server, said): (&Prometheus, &mut Said),
) -> Result<(i64, Vec<ServiceAdvice>)> {
    let (now, skew) = import::clock(server)?;
    skew.iter().for_each(|note| said.skew(note));
    let at_ms = match &args.at {
        // KEDA asks for whole seconds.
        None => now.as_second() * 1_000,
        Some(text) => {
            let at = text.parse::<Timestamp>().map_err(|_| {
                let reason = "an instant such as 2026-03-01T09:14:00Z is needed, with its offset";
                Failure::input(format!("--at {text}: {reason}"))
            })?;
            if at > now {
                return Err(Failure::input(format!("--at {text}: is not over yet: it is {now} there")));
            }
            at.as_millisecond()
        }
    };
    let of = |number: &usize| {
        let service = &loaded.spec.services[*number];
        let policies = loaded.spec.policies.iter();
        let policies: Vec<(&str, &ServicePolicy)> =
            policies.map(|policy| (policy.name.as_str(), &policy.services[*number])).collect();
        let workload = args.workload.as_ref().unwrap_or(&service.workload);
        let wish = Wish {
            service,
            metrics: &loaded.spec.metrics,
            policies,
            workload,
            namespace: args.namespace.as_deref(),
            requests: (&args.matchers, args.requests.as_deref()),
            at_ms,
            lookback_ms: args.since.map(|since| since.as_millis() as i64),
        };
        let advice = live::advise::advise(server, &wish).map_err(failure)?;
        Ok(ServiceAdvice { service: service.name.clone(), workload: workload.clone(), advice })
    };
    let advices = services.iter().map(of).collect::<Result<_>>()?;
    server.take_warnings().iter().for_each(|warning| said.note(&import::warned(warning)));
    Ok((at_ms, advices))
}
