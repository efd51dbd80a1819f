//! Adapters of a language model (LoRA): how many requests are for which, and what the server does with them.

use cluster::spec::{AdapterSpec, Routing, Scheduler, Scorers, ServiceSpec};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{AdapterTimeFile, AdaptersFile, ModelFile, PopularityFile, ServiceView, TrafficAdaptersFile};
use crate::quantity::{Size, Time};
use crate::server::LoraFlags;

use super::Context;
use super::scheduler::PATH;

/// `traffic.adapters`.
pub(super) const TRAFFIC: &str = "spec.traffic.adapters";
/// More adapters than anybody has.
const COUNT_MAX: u32 = 100_000;
/// More slots than any engine has.
const ACTIVE_MAX: u32 = 1_024;

impl Context<'_> {
    /// `traffic.adapters` and `continuousBatching.adapters`: both or neither.
    pub(super) fn adapters(&mut self, service: &mut ServiceSpec, spec: &ServiceView) -> Result<(), ScenarioError> {
        let written = if let ModelFile::ContinuousBatching(file) = &spec.service.model { file.adapters } else { None };
        let found = self.found_scheduling().and_then(|(found, place)| Some((found.lora?, place)));
        let is_fetched = spec.traffic.from.as_ref().is_some_and(|from| from.kv_transfer.is_some());
        let Some(asked) = &spec.traffic.adapters else {
            if let (Some(_), false) = (&written, is_fetched) {
                let reason =
                    "no request of this traffic is for an adapter: how many are for which says `traffic.adapters`";
                return Err(self.inconsistent(&format!("{PATH}.adapters"), reason));
            }
            if let (Some((found, place)), None) = (&found, &written) {
                self.note(format!(
                    "{place}: {}: every request is for the base model until `traffic.adapters` says how many are for which adapter",
                    found.said
                ));
            }
            if let Some(written) = written {
                service.engine.adapters =
                    Some(self.adapter_spec(&written, found.as_ref(), &service.engine.scheduler)?);
            }
            return self.check_affinity(service, is_fetched);
        };
        if !matches!(spec.service.model, ModelFile::ContinuousBatching(_)) {
            let reason = "needs a service that makes tokens: `service.model.continuousBatching`";
            return Err(self.inconsistent(TRAFFIC, reason));
        }
        if is_fetched {
            let reason = "with `from.kvTransfer` a request is for the adapter that its prompt was computed for";
            return Err(self.inconsistent(TRAFFIC, reason));
        }
        let Some(file) = written.or(found.as_ref().map(|_| AdaptersFile::default())) else {
            let reason = "needs `service.model.continuousBatching.adapters`, or a server with --enable-lora in the manifest: how many may be \
                          active at once";
            return Err(self.inconsistent(TRAFFIC, reason));
        };
        let modules = found.as_ref().and_then(|(found, _)| found.modules);
        let shares =
            if asked.from_trace { self.none_beside_trace(asked)? } else { self.adapter_shares(asked, modules)? };
        let spec = self.adapter_spec(&file, found.as_ref(), &service.engine.scheduler)?;
        // What a trace names is known when it is read.
        if !asked.from_trace {
            let count = shares.iter().filter(|share| **share > 0.0).count();
            let who = format!("{:.0} % of the requests are for {count}", 100.0 * shares.iter().sum::<f64>());
            self.note_adapters(&spec, &who);
        }
        service.tags.adapters = shares;
        service.engine.adapters = Some(spec);
        self.check_affinity(service, is_fetched)
    }

    /// The trace says of each request which adapter it is for: nothing is drawn.
    fn none_beside_trace(&self, file: &TrafficAdaptersFile) -> Result<Vec<f64>, ScenarioError> {
        let is_alone = *file == TrafficAdaptersFile { from_trace: true, ..TrafficAdaptersFile::default() };
        if !is_alone {
            let reason = "only one of `fromTrace`, `shares` and of `count` with `share` and `popularity`";
            return Err(self.inconsistent(TRAFFIC, reason));
        }
        Ok(Vec::new())
    }

    fn adapter_shares(&self, file: &TrafficAdaptersFile, modules: Option<u32>) -> Result<Vec<f64>, ScenarioError> {
        if !file.shares.is_empty() {
            let is_other = file.count.is_some() || file.popularity != PopularityFile::Uniform || file.share.0 < 1.0;
            if is_other {
                let reason = "only one of `shares` and of `count` with `share` and `popularity`";
                return Err(self.inconsistent(TRAFFIC, reason));
            }
            let shares: Vec<f64> = file.shares.iter().map(|share| share.0).collect();
            if shares.iter().any(|share| *share < 0.0) || shares.iter().sum::<f64>() > 1.0 + 1e-9 {
                let reason = "the shares must be at least 0%, and at most 100% together";
                return Err(self.inconsistent(&format!("{TRAFFIC}.shares"), reason));
            }
            return Ok(shares);
        }
        let Some(count) = file.count.or(modules) else {
            let reason = "needs `count` or `shares`: no --lora-modules of a server says how many there are";
            return Err(self.inconsistent(TRAFFIC, reason));
        };
        if !(1..=COUNT_MAX).contains(&count) {
            return Err(self.inconsistent(&format!("{TRAFFIC}.count"), &format!("must be 1 to {COUNT_MAX}")));
        }
        if !(file.share.0 > 0.0 && file.share.0 <= 1.0) {
            return Err(self.inconsistent(&format!("{TRAFFIC}.share"), "must be above 0% and at most 100%"));
        }
        let zipf = match file.popularity {
            PopularityFile::Uniform => 0.0,
            PopularityFile::Zipf(exponent) if exponent.is_finite() && exponent >= 0.0 => exponent,
            PopularityFile::Zipf(_) => {
                let path = format!("{TRAFFIC}.popularity.zipf");
                return Err(self.inconsistent(&path, "must be a number of at least 0"));
            }
        };
        let weights: Vec<f64> = (1..=count).map(|number| f64::from(number).powf(-zipf)).collect();
        let sum: f64 = weights.iter().sum();
        Ok(weights.iter().map(|weight| file.share.0 * weight / sum).collect())
    }

    fn adapter_spec(
        &mut self,
        file: &AdaptersFile,
        found: Option<&(LoraFlags, String)>,
        scheduler: &Scheduler,
    ) -> Result<AdapterSpec, ScenarioError> {
        let path = format!("{PATH}.adapters");
        if *scheduler != Scheduler::Vllm {
            let reason = format!("adapters are modelled as vLLM has them; the scheduler here is {}", scheduler.word());
            return Err(ScenarioError::NotModelled { at: self.at(&path), reason });
        }
        let flags = found.map(|(flags, _)| flags);
        let max_active = file.max_active.or(flags.and_then(|flags| flags.max_active)).unwrap_or(1);
        if !(1..=ACTIVE_MAX).contains(&max_active) {
            return Err(self.inconsistent(&format!("{path}.maxActive"), &format!("must be 1 to {ACTIVE_MAX}")));
        }
        let max_kept = file.max_cpu.or(flags.and_then(|flags| flags.max_cpu)).unwrap_or(max_active);
        if max_kept < max_active {
            let reason = format!("must be at least the {max_active} that may be active: they are among those kept");
            return Err(self.inconsistent(&format!("{path}.maxCpu"), &reason));
        }
        if let Some((flags, place)) = found {
            let others = [(file.max_active, flags.max_active, "maxActive"), (file.max_cpu, flags.max_cpu, "maxCpu")];
            for (own, found, key) in others {
                if let (Some(own), Some(found)) = (own, found)
                    && own != found
                {
                    self.note(format!("{place}: {}, but the {key} {own} of the scenario counts", flags.said));
                }
            }
            flags.notes.iter().for_each(|note| self.note(format!("{place}: {note}")));
        }
        let load = self.adapter_time(&file.load, file.size, &format!("{path}.load"))?;
        let fetch = self.adapter_time(&file.fetch, file.size, &format!("{path}.fetch"))?;
        if file.size.is_some() && file.load.bandwidth.is_none() && file.fetch.bandwidth.is_none() {
            let reason = "does nothing without `load.bandwidth` or `fetch.bandwidth`";
            return Err(self.inconsistent(&format!("{path}.size"), reason));
        }
        if !(0.0..=1.0).contains(&file.step_overhead.0) {
            return Err(self.inconsistent(&format!("{path}.stepOverhead"), "must be 0% to 100%"));
        }
        Ok(AdapterSpec { max_active, max_kept, load, fetch, step_overhead: file.step_overhead.0 })
    }

    fn adapter_time(
        &self,
        file: &AdapterTimeFile,
        size: Option<Size>,
        path: &str,
    ) -> Result<SimDuration, ScenarioError> {
        let fixed = file.fixed.map_or(SimDuration::ZERO, Time::duration);
        let Some(bandwidth) = file.bandwidth else { return Ok(fixed) };
        if bandwidth.0 <= 0.0 {
            return Err(self.inconsistent(&format!("{path}.bandwidth"), "must be above 0"));
        }
        let Some(size) = size else {
            return Err(self.inconsistent(&format!("{path}.bandwidth"), "needs the `size` of an adapter beside it"));
        };
        Ok(fixed + SimDuration::from_secs_f64(size.0 as f64 / bandwidth.0))
    }

    /// Says what adapters come to, where `who` says how many there are.
    pub(super) fn note_adapters(&mut self, spec: &AdapterSpec, who: &str) {
        let AdapterSpec { max_active, max_kept, load, fetch, step_overhead } = *spec;
        let mut note = format!(
            "adapters: {who}, of which a pass holds {max_active} at most and a replica keeps {max_kept} in memory; \
             to load one takes {load}, {} if it has to be fetched first",
            load + fetch
        );
        if step_overhead > 0.0 {
            note += &format!("; each lengthens its passes by {} %", (1e5 * step_overhead).round() / 1e3);
        }
        if load.is_zero() && fetch.is_zero() {
            note += " (`continuousBatching.adapters.load` and `fetch` say what it takes)";
        }
        self.note(note);
    }

    /// A scorer of adapters has some to look at; the picker's own has none to do without.
    fn check_affinity(&mut self, service: &mut ServiceSpec, is_fetched: bool) -> Result<(), ScenarioError> {
        let Routing::Scored(mut scorers) = service.routing else { return Ok(()) };
        if scorers.lora_affinity == 0.0 || service.engine.adapters.is_some() {
            return Ok(());
        }
        let path = "spec.service.routing.scorers.loraAffinity";
        if self.is_written(path) {
            let reason = if is_fetched {
                "needs `service.model.continuousBatching.adapters` here too: how many may be active at once"
            } else {
                "affinity of adapters needs some (`traffic.adapters`): every request of this traffic is for the base model"
            };
            return Err(self.inconsistent(path, reason));
        }
        self.note("lora-affinity-scorer: no request of this traffic is for an adapter (`traffic.adapters`)".to_owned());
        scorers.lora_affinity = 0.0;
        service.routing = if scorers == Scorers::default() { Routing::Random } else { Routing::Scored(scorers) };
        Ok(())
    }
}
