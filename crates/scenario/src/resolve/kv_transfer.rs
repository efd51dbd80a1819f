//! `traffic.from.kvTransfer`: one service computes prompts, another fetches what has been computed and makes the answers.

use calibrate::llm::{LlmPreset, llm_preset};
use cluster::spec::{KillRule, KvTransfer, PrefixSpec, Scheduler, ServiceModel, ServiceSpec};
use units::SimDuration;

use crate::error::ScenarioError;
use crate::file::{FromFile, KvTransferFile, ModelFile, ServiceView};
use crate::quantity::Time;
use crate::server::APART;
use crate::tree::Node;

use super::saturation::{Asked, Long};
use super::{Context, Resolved};

const PATH: &str = "spec.traffic.from.kvTransfer";

impl Context<'_> {
    /// Who fetches prompts from whom, now that all services and their requests are known.
    pub(super) fn kv_transfers(&mut self, views: &[ServiceView], all: &mut [Resolved]) -> Result<(), ScenarioError> {
        let mut sources: Vec<(usize, usize)> = Vec::new();
        for (number, view) in views.iter().enumerate() {
            let Some(from) = &view.traffic.from else { continue };
            self.turn_to(number);
            let Some(file) = &from.kv_transfer else {
                self.check_decider(from)?;
                continue;
            };
            let Some(call) = all[number].service.called_by else { continue };
            let name = |number: usize| views[number].name.clone().unwrap_or_default();
            if let Some((other, _)) = sources.iter().find(|(_, source)| *source == call.service) {
                let reason = format!(
                    "`{}` fetches from `{}` already: a prompt goes to one service",
                    name(*other),
                    name(call.service)
                );
                return Err(self.inconsistent(PATH, &reason));
            }
            sources.push((number, call.service));
            if call.share < 1.0 || call.count > 1 {
                let reason =
                    "every request whose prompt was computed is answered once: `share` and `count` stay at 100% and 1";
                return Err(self.inconsistent("spec.traffic.from", reason));
            }
            self.check_prefill((&all[call.service].service, &name(call.service)))?;
            self.check_decode(&all[number].service)?;
            self.check_adapters(&all[call.service].service, &name(call.service), &all[number].service)?;
            let presets = (preset_of(&views[call.service]), preset_of(view));
            let mut transfer = self.kv_transfer(file, presets)?;
            let called = name(call.service);
            let prefill = (&all[call.service].service, called.as_str());
            transfer.from_tokens = self.decider(from, prefill)?;
            self.note_transfer(&transfer, prefill, view.run.duration.duration());
            if let Some(called_by) = &mut all[number].service.called_by {
                called_by.transfer = Some(transfer);
            }
        }
        Ok(())
    }

    /// Notes what a flag of a server comes to, unless it is about prefill and decode apart and the scenario says how they are.
    pub(super) fn note_flag(&mut self, place: &str, note: &str) {
        let services = self.scenario.at(&["spec", "services"]).map_or(&[][..], Node::items);
        let is_apart = services.iter().any(|one| one.at(&["traffic", "from", "kvTransfer"]).is_some());
        if !(is_apart && note.contains(APART)) {
            self.note(format!("{place}: {note}"));
        }
    }

    /// What a service may be whose prompts others fetch.
    fn check_prefill(&self, (service, name): (&ServiceSpec, &str)) -> Result<(), ScenarioError> {
        if !matches!(service.model, ServiceModel::ContinuousBatching { .. }) {
            let reason = format!("`{name}` computes no prompts: that takes a `continuousBatching` model");
            return Err(self.inconsistent(PATH, &reason));
        }
        if matches!(service.engine.scheduler, Scheduler::Tgi(_)) {
            let reason = format!(
                "TGI, which `{name}` runs, hands no prompts over: SGLang's scheduler, vLLM's and TensorRT-LLM's do"
            );
            return Err(ScenarioError::NotModelled { at: self.at(PATH), reason });
        }
        if service.traffic.follows_answers() {
            let reason = format!(
                "clients of `{name}` go on when they have an answer (closedLoop, sessions), and the answer is made here"
            );
            return Err(ScenarioError::NotModelled { at: self.at(PATH), reason });
        }
        Ok(())
    }

    /// What a service may be that fetches prompts.
    fn check_decode(&self, service: &ServiceSpec) -> Result<(), ScenarioError> {
        if !matches!(service.model, ServiceModel::ContinuousBatching { .. }) {
            return Err(self.inconsistent(PATH, "needs `service.model.continuousBatching`, which has a KV cache"));
        }
        let clients = "what clients wait for is both services; with the one that computes prompts it is about its part";
        let is_apart = matches!(service.engine.scheduler, Scheduler::PrefillFirst(_) | Scheduler::Tgi(_));
        let misfits = [
            (service.client_timeout.is_some(), "spec.service.client.timeout", clients),
            (service.client_patience.is_some(), "spec.service.client.patience", clients),
            (
                service.retries.is_some(),
                "spec.service.client.retries",
                "a request whose prompt is lost would have to be computed anew elsewhere",
            ),
            (
                service.kill_rule == KillRule::Requeue,
                "spec.service.onKill",
                "what a killed replica had fetched is gone where it came from too: only `fail`",
            ),
            (
                is_apart,
                "spec.service.model",
                "with SGLang's or TGI's passes the fetching of prompts is not modelled: `scheduler: vllm`, or one of TensorRT-LLM's",
            ),
            (service.prefix != PrefixSpec::Off, "spec.traffic.prefix", "every prompt is fetched whole"),
        ];
        match misfits.iter().find(|(is_misfit, ..)| *is_misfit) {
            Some((_, path, reason)) => {
                let reason = format!("beside `traffic.from.kvTransfer`: {reason}");
                Err(ScenarioError::NotModelled { at: self.at(path), reason })
            }
            None => Ok(()),
        }
    }

    /// Requests bring their adapters along: who has any needs them at both.
    fn check_adapters(&self, prefill: &ServiceSpec, name: &str, decode: &ServiceSpec) -> Result<(), ScenarioError> {
        let reason = match (prefill.engine.adapters.is_some(), decode.engine.adapters.is_some()) {
            (true, false) => {
                format!(
                    "requests of `{name}` are for adapters: `service.model.continuousBatching.adapters` says how many may be active here"
                )
            }
            (false, true) => format!("no request of `{name}` is for an adapter"),
            _ => return Ok(()),
        };
        Err(self.inconsistent("spec.service.model.continuousBatching", &reason))
    }

    fn kv_transfer(
        &self,
        file: &KvTransferFile,
        presets: (Option<LlmPreset>, Option<LlmPreset>),
    ) -> Result<KvTransfer, ScenarioError> {
        if let (Some(computes), Some(decodes)) = &presets
            && computes.model != decodes.model
        {
            let reason = format!("a cache of {} is of no use to {}", computes.model, decodes.model);
            return Err(self.inconsistent(PATH, &reason));
        }
        let known = presets.0.or(presets.1).map(|preset| bytes_per_token(&preset));
        let stated = file.bytes_per_token.map(|size| size.0 as f64);
        let Some(bytes_per_token) = stated.or(known) else {
            let key = "bytesPerToken".to_owned();
            return Err(ScenarioError::MissingKey { at: self.at(PATH), key });
        };
        if bytes_per_token < 1.0 {
            return Err(self.inconsistent(&format!("{PATH}.bytesPerToken"), "must be at least 1 B"));
        }
        if file.bandwidth.0 <= 0.0 {
            return Err(self.inconsistent(&format!("{PATH}.bandwidth"), "must be above 0"));
        }
        let latency = Time::duration(file.latency);
        Ok(KvTransfer { bytes_per_second: file.bandwidth.0, latency, bytes_per_token, from_tokens: 0 })
    }

    /// A decider has nothing to decide where one service does it all.
    fn check_decider(&self, from: &FromFile) -> Result<(), ScenarioError> {
        if from.decider.is_none() {
            return Ok(());
        }
        let reason =
            "decides which prompts another service computes: that takes `kvTransfer`, the way of what it has computed";
        Err(self.inconsistent("spec.traffic.from.decider", reason))
    }

    /// Prompts of how many tokens at least the other service computes.
    fn decider(&mut self, from: &FromFile, (prefill, name): (&ServiceSpec, &str)) -> Result<u32, ScenarioError> {
        let written = from.decider.map(|file| file.non_cached_tokens);
        let written = written.map(|least| if least == 0 { u32::MAX } else { least });
        let found = self.picker_decider()?;
        if written.is_some() && found.is_some() && written != found {
            self.note("`decider` of the scenario counts, not the endpoint picker's".to_owned());
        }
        let least = written.or(found).unwrap_or(0);
        if least == 0 {
            return Ok(0);
        }
        if prefill.called_by.is_some() {
            let reason =
                format!("`{name}` is called by another service: whose prompts it then need not see is not modelled");
            return Err(ScenarioError::NotModelled { at: self.at("spec.traffic.from"), reason });
        }
        if least == u32::MAX {
            self.note(format!(
                "nonCachedTokens 0: no prompt is computed by `{name}`, all are here; llm-d's decider with 0 takes none for worth it"
            ));
        }
        if prefill.prefix != PrefixSpec::Off {
            self.note(format!(
                "nonCachedTokens {least}: by the length of the prompt, since no cache here holds any; what the cache of `{name}` has does not count"
            ));
        }
        Ok(least)
    }

    fn note_transfer(&mut self, transfer: &KvTransfer, (prefill, name): (&ServiceSpec, &str), length: SimDuration) {
        let ServiceModel::ContinuousBatching { prompt_tokens, output_tokens, .. } = &prefill.model else { return };
        let usual = (prompt_tokens.mean(), output_tokens.mean());
        let long = Long::of(prompt_tokens, transfer.from_tokens);
        let asked = Asked::of(prefill, (long.prompt, usual.1), (length, long));
        let prompt = asked.map_or(long.prompt, |asked| asked.prompt);
        if prompt <= 0.0 {
            return;
        }
        let of = if long.from == 0 { String::new() } else { format!(" of {} tokens and more", long.from) };
        let (bytes, alone) = (prompt * transfer.bytes_per_token, transfer.seconds_alone(prompt));
        let alone = SimDuration::from_millis((alone * 1e3).round() as u64);
        self.note(format!(
            "the KV cache of a mean prompt{of} ({prompt:.0} tokens, {:.0} MB) is fetched from `{name}` in {alone} if nothing else is under way, and {:.3} a second into \
             or out of one replica at most; latency and time to first token count from the arrival there",
            bytes / 1e6,
            transfer.bytes_per_second / bytes
        ));
    }
}

fn preset_of(view: &ServiceView) -> Option<LlmPreset> {
    let ModelFile::ContinuousBatching(file) = &view.service.model else { return None };
    llm_preset(file.preset.as_ref()?).ok()
}

/// Bytes of the cache of one token in all GPUs of a replica.
fn bytes_per_token(preset: &LlmPreset) -> f64 {
    preset.shape.kv_values_per_token(preset.tp) * f64::from(preset.tp) * preset.kv_type.bytes()
}
