//! How the engine of a language model fills its passes: as the scenario says, else as the server in the manifest does.

use calibrate::llm::llm_preset;
use cluster::spec::{EngineSpec, PrefillFirst, Scheduler, ServiceModel, Tgi};

use crate::error::ScenarioError;
use crate::file::{
    ContinuousBatchingFile, ModelFile, QueueOrderFile, SchedulerChoice, SchedulerFile, SchedulerWord,
    SchedulingPolicyFile, TextOr,
};
use crate::manifest::workload::{engine, gpu_containers};
use crate::server::{Scheduling, scheduling};

use super::Context;
use super::preset::preset_path;

pub(super) const PATH: &str = "spec.service.model.continuousBatching";

impl Context<'_> {
    /// The rule and its settings; what was not written is said.
    pub(super) fn engine_spec(&mut self, file: &ModelFile, model: &ServiceModel) -> Result<EngineSpec, ScenarioError> {
        let (
            ModelFile::ContinuousBatching(file),
            &ServiceModel::ContinuousBatching { batched_tokens_max, kv_tokens, .. },
        ) = (file, model)
        else {
            return Ok(EngineSpec::default());
        };
        let found = self.found_scheduling().or_else(|| scheduling_of_preset(file));
        let mut spec = match &file.scheduler {
            None => found.as_ref().map_or_else(EngineSpec::default, |(found, _)| found.engine.clone()),
            Some(written) => self.written_scheduler(written, found.as_ref().map(|(found, _)| found))?,
        };
        spec.chunks_prompts = file.chunked_prefill.unwrap_or(spec.chunks_prompts);
        spec.max_new_tokens = file.max_new_tokens;
        spec.admits_by_chunk = file.admit_by_chunk.unwrap_or(spec.admits_by_chunk);
        self.settle_threshold(file, &mut spec)?;
        self.check_engine(file, &spec, kv_tokens)?;
        if let Some((found, place)) = &found {
            self.note_scheduling(found, place, &spec);
        }
        self.note_limits(batched_tokens_max, &spec);
        let drafts = found.as_ref().and_then(|(found, place)| Some((found.drafts.as_ref()?, place.as_str())));
        spec.speculative = self.speculative(file, drafts, (model, &spec.scheduler))?;
        self.check_threshold_beside_guesses(file, &mut spec)?;
        Ok(spec)
    }

    /// That of the server in the workload's manifest, with the place of its container.
    pub(super) fn found_scheduling(&self) -> Option<(Scheduling, String)> {
        let node = &self.workload.as_ref()?.deployment.node;
        let template = node.at(&["spec", "template"]).unwrap_or(node);
        let container = gpu_containers(template).first().copied()?;
        Some((scheduling(container, engine(template)?)?, container.place.to_string()))
    }

    /// What is written, over the flags of the same kind of engine.
    fn written_scheduler(
        &self,
        written: &SchedulerFile,
        found: Option<&Scheduling>,
    ) -> Result<EngineSpec, ScenarioError> {
        let found = found.map(|found| &found.engine);
        let same = |scheduler: &Scheduler| {
            let is_same = |found: &&EngineSpec| kind(&found.scheduler) == kind(scheduler);
            found.filter(is_same).cloned().unwrap_or_default()
        };
        let scheduler = match written {
            TextOr::Amount(SchedulerWord::Vllm) => Scheduler::Vllm,
            TextOr::Amount(SchedulerWord::NoEvict) => Scheduler::NoEvict,
            TextOr::Amount(SchedulerWord::MaxUtilization) => Scheduler::MaxUtilization,
            TextOr::Amount(SchedulerWord::PrefillFirst) | TextOr::Choice(SchedulerChoice::PrefillFirst(_)) => {
                Scheduler::PrefillFirst(match same(&Scheduler::PrefillFirst(PrefillFirst::default())).scheduler {
                    Scheduler::PrefillFirst(rule) => rule,
                    _ => PrefillFirst::default(),
                })
            }
            TextOr::Amount(SchedulerWord::Tgi) | TextOr::Choice(SchedulerChoice::Tgi(_)) => {
                Scheduler::Tgi(match same(&Scheduler::Tgi(Tgi::default())).scheduler {
                    Scheduler::Tgi(rule) => rule,
                    _ => Tgi::default(),
                })
            }
        };
        let scheduler = match (written, scheduler) {
            (TextOr::Choice(SchedulerChoice::PrefillFirst(file)), Scheduler::PrefillFirst(rule)) => {
                self.not_below("prefillFirst.maxPrefillTokens", file.max_prefill_tokens.map(f64::from), 1.0)?;
                self.not_below("prefillFirst.conservativeness", file.conservativeness, 0.0)?;
                Scheduler::PrefillFirst(PrefillFirst {
                    prefill_tokens_max: file.max_prefill_tokens.unwrap_or(rule.prefill_tokens_max),
                    conservativeness: file.conservativeness.unwrap_or(rule.conservativeness),
                    longest_prefix_first: file
                        .policy
                        .map_or(rule.longest_prefix_first, |policy| policy == QueueOrderFile::Lpm),
                })
            }
            (TextOr::Choice(SchedulerChoice::Tgi(file)), Scheduler::Tgi(rule)) => {
                self.not_below("tgi.waitingServedRatio", file.waiting_served_ratio, 0.0)?;
                self.not_below("tgi.maxWaitingTokens", file.max_waiting_tokens.map(f64::from), 1.0)?;
                self.not_below("tgi.maxBatchTotalTokens", file.max_batch_total_tokens.map(|most| most as f64), 1.0)?;
                Scheduler::Tgi(Tgi {
                    waiting_served_ratio: file.waiting_served_ratio.unwrap_or(rule.waiting_served_ratio),
                    waiting_tokens_max: file.max_waiting_tokens.unwrap_or(rule.waiting_tokens_max),
                    total_tokens_max: file.max_batch_total_tokens.or(rule.total_tokens_max),
                })
            }
            (_, scheduler) => scheduler,
        };
        Ok(EngineSpec { scheduler, ..same(&scheduler) })
    }

    fn not_below(&self, key: &str, value: Option<f64>, least: f64) -> Result<(), ScenarioError> {
        match value {
            Some(value) if !(value >= least && value.is_finite()) => {
                Err(self.inconsistent(&format!("{PATH}.scheduler.{key}"), &format!("must be at least {least}")))
            }
            _ => Ok(()),
        }
    }

    /// What would do nothing is refused.
    fn check_engine(
        &self,
        file: &ContinuousBatchingFile,
        spec: &EngineSpec,
        kv_tokens: u64,
    ) -> Result<(), ScenarioError> {
        let scheduler = &spec.scheduler;
        if file.scheduling_policy == Some(SchedulingPolicyFile::Priority) && *scheduler != Scheduler::Vllm {
            let reason = format!("`priority` is vLLM's; the scheduler here is {}", scheduler.word());
            return Err(self.inconsistent(&format!("{PATH}.schedulingPolicy"), &reason));
        }
        if file.max_new_tokens.is_some() && !counts_answers(scheduler) {
            let reason = format!(
                "is what `prefillFirst`, `noEvict` and `tgi` keep room for; the scheduler here is {}, which looks at the prompt alone",
                scheduler.word()
            );
            return Err(self.inconsistent(&format!("{PATH}.maxNewTokens"), &reason));
        }
        if spec.admits_by_chunk && *scheduler != Scheduler::Vllm {
            let reason = format!("is of `vllm`; the scheduler here is {}", scheduler.word());
            return Err(self.inconsistent(&format!("{PATH}.admitByChunk"), &reason));
        }
        if file.max_new_tokens == Some(0) {
            return Err(self.inconsistent(&format!("{PATH}.maxNewTokens"), "must be at least 1"));
        }
        if file.chunked_prefill == Some(true) && matches!(scheduler, Scheduler::Tgi(_)) {
            return Err(self.inconsistent(&format!("{PATH}.chunkedPrefill"), "tgi computes prompts whole"));
        }
        if let Some(TextOr::Choice(SchedulerChoice::Tgi(tgi))) = &file.scheduler
            && tgi.max_batch_total_tokens.is_some_and(|most| most > kv_tokens)
        {
            let reason = format!("is more than the {kv_tokens} `kvTokens` of the cache");
            return Err(self.inconsistent(&format!("{PATH}.scheduler.tgi.maxBatchTotalTokens"), &reason));
        }
        Ok(())
    }

    /// How much of a pass one prompt may have: what is written, over the server's flag.
    fn settle_threshold(&self, file: &ContinuousBatchingFile, spec: &mut EngineSpec) -> Result<(), ScenarioError> {
        let Some(written) = file.long_prefill_token_threshold else {
            spec.long_prefill_token_threshold = spec.long_prefill_token_threshold.filter(|_| spec.chunks_prompts);
            return Ok(());
        };
        spec.long_prefill_token_threshold = (written > 0).then_some(written);
        let reason = match spec.scheduler {
            _ if written == 0 => return Ok(()),
            Scheduler::Vllm if spec.chunks_prompts => return Ok(()),
            Scheduler::Vllm => "is about chunks of prompts, and prompts are computed whole here".to_owned(),
            _ => format!("is of `vllm`; the scheduler here is {}", spec.scheduler.word()),
        };
        Err(self.inconsistent(&format!("{PATH}.longPrefillTokenThreshold"), &reason))
    }

    /// With guesses a sequence that begins to decode may want more of a pass than its prompt did, and another would have to stand still for it.
    fn check_threshold_beside_guesses(
        &mut self,
        file: &ContinuousBatchingFile,
        spec: &mut EngineSpec,
    ) -> Result<(), ScenarioError> {
        if spec.speculative.is_none() || spec.long_prefill_token_threshold.is_none() {
            return Ok(());
        }
        if file.long_prefill_token_threshold.is_some() {
            let reason = "and `speculative` together are not modelled";
            return Err(self.inconsistent(&format!("{PATH}.longPrefillTokenThreshold"), reason));
        }
        spec.long_prefill_token_threshold = None;
        self.note("--long-prefill-token-threshold beside speculative decoding is not modelled: a prompt takes what is left of the pass".to_owned());
        Ok(())
    }

    /// What the manifest's server does, and where the scenario has it otherwise.
    fn note_scheduling(&mut self, found: &Scheduling, place: &str, spec: &EngineSpec) {
        let own = EngineSpec { max_new_tokens: spec.max_new_tokens, ..found.engine.clone() };
        let both = |one: &Scheduler, other: &Scheduler| kind(one) == kind(other);
        if own != *spec {
            let what = if both(&own.scheduler, &spec.scheduler) {
                format!("but the settings of the scenario count: {}", in_words(spec))
            } else {
                format!("whose scheduler is {}; the scenario's counts, {}", own.scheduler.word(), spec.scheduler.word())
            };
            self.note(format!("{place}: {}, {what}", found.source));
        } else if own != EngineSpec::default() {
            self.note(format!("{place}: {}: scheduler {}, {}", found.source, spec.scheduler.word(), in_words(spec)));
        }
        found.notes.iter().for_each(|note| self.note_flag(place, note));
    }

    /// What is turned away, and what room is kept for.
    fn note_limits(&mut self, most: u32, spec: &EngineSpec) {
        match spec.scheduler {
            Scheduler::Tgi(_) => {
                self.note(format!("tgi computes prompts whole: one of more than {most} tokens is turned away"));
            }
            Scheduler::PrefillFirst(_) => {}
            _ if spec.chunks_prompts => {}
            Scheduler::NoEvict => {
                self.note(format!(
                    "prompts are computed whole (chunkedPrefill is off): one of more than {most} tokens is turned away"
                ));
            }
            Scheduler::Vllm | Scheduler::MaxUtilization => self.note(format!(
                "prompts are computed whole (chunkedPrefill is off): who has more than {most} tokens of prompt and answer is turned away"
            )),
        }
        if counts_answers(&spec.scheduler) && spec.max_new_tokens.is_none() {
            self.note(format!(
                "scheduler {}: room is kept for the answers as long as they turn out to be; where clients ask for more (max_tokens), fewer run at \
                 once: maxNewTokens",
                spec.scheduler.word()
            ));
        }
    }
}

/// That of the engine that a preset is of, where no manifest tells.
fn scheduling_of_preset(file: &ContinuousBatchingFile) -> Option<(Scheduling, String)> {
    let preset = llm_preset(file.preset.as_ref()?).ok()?;
    let engine = EngineSpec { scheduler: preset.engine.scheduler(), ..EngineSpec::default() };
    let source = format!("{}, of which the preset is", preset.engine.title());
    Some((Scheduling { engine, source, drafts: None, lora: None, notes: Vec::new() }, preset_path(file).to_owned()))
}

/// Whether it counts with tokens that answers may still have.
fn counts_answers(scheduler: &Scheduler) -> bool {
    scheduler.reserves_answers() || matches!(scheduler, Scheduler::PrefillFirst(_))
}

/// Which engine it is of.
fn kind(scheduler: &Scheduler) -> u8 {
    match scheduler {
        Scheduler::Vllm => 0,
        Scheduler::PrefillFirst(_) => 1,
        Scheduler::NoEvict | Scheduler::MaxUtilization => 2,
        Scheduler::Tgi(_) => 3,
    }
}

/// What it does, in short.
fn in_words(spec: &EngineSpec) -> String {
    let whole = if spec.chunks_prompts { "" } else { ", prompts whole" };
    let by_chunk = if spec.admits_by_chunk { ", admitted by the first chunk" } else { "" };
    match &spec.scheduler {
        Scheduler::Vllm | Scheduler::MaxUtilization => {
            let part = spec.long_prefill_token_threshold;
            let part = part.map_or_else(String::new, |most| format!(", {most} tokens of a prompt at most"));
            format!("decoding and prompts in one pass{whole}{by_chunk}{part}")
        }
        Scheduler::PrefillFirst(rule) => format!(
            "passes of prompts go before decoding{whole} (maxPrefillTokens {}, conservativeness {}, policy {})",
            rule.prefill_tokens_max,
            rule.conservativeness,
            if rule.longest_prefix_first { "lpm" } else { "fcfs" }
        ),
        Scheduler::NoEvict => format!(
            "GUARANTEED_NO_EVICT, admitted when the whole answer fits{}",
            if spec.chunks_prompts { "" } else { "; prompts whole, as long as --enable_chunked_prefill is not given" }
        ),
        Scheduler::Tgi(rule) => format!(
            "a pass of prompts when {} of those that decode wait, or after {} tokens; whole answers reserved",
            rule.waiting_served_ratio, rule.waiting_tokens_max
        ),
    }
}
