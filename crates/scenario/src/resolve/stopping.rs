//! `service.onTerminate` and preStop hooks: what a server that is told to stop does with its requests, and what that costs.

use cluster::spec::{Iteration, KillRule, PodSpec, ServiceModel, ServiceSpec, StopRule};
use units::SimDuration;
use workload::{Distribution, Purpose, Stream};

use crate::file::{AbortFile, ModelFile, NoticeFile, ServiceFile, StopChoice, StopFile, StopWord, TextOr};
use crate::manifest::workload::{engine, gpu_containers};
use crate::quantity::Time;
use crate::server::{Stopping, in_words, stopping};

use super::Context;

/// Requests drawn to tell which share takes longer than a server waits.
const DRAWS: u32 = 20_000;
/// Smaller shares are not worth a note.
const SHARE_MIN: f64 = 0.0005;

impl Context<'_> {
    /// The pod with what its server does when it is told to stop, and what says so where the scenario does not.
    pub(super) fn with_stop(&mut self, pod: PodSpec, file: &ServiceFile) -> (PodSpec, Option<String>) {
        let drain_delay = file.drain_delay.map(Time::duration);
        if self.hook_waits {
            // The hook ends with the last request, and not before the router sends no more: there is nothing left to stop.
            let found = self.found_stopping().map(|found| found.rule);
            if file.on_terminate.as_ref().map(stop_rule).is_some_and(|stated| Some(stated) != found) {
                self.note(
                    "service.onTerminate says nothing here: the preStop hook waits until the pod is idle".to_owned(),
                );
            }
            let pre_stop = pod.pre_stop.max(drain_delay.unwrap_or_default()).min(pod.grace);
            return (PodSpec { drain_delay, pre_stop, stop: StopRule::FINISH, ..pod }, None);
        }
        let is_llm = matches!(file.model, ModelFile::ContinuousBatching(_));
        let found = self.found_stopping().map(|found| Stopping { rule: usual_notice(found.rule, is_llm), ..found });
        let stated = file.on_terminate.as_ref().map(|stated| match stated {
            TextOr::Choice(StopChoice::Abort(abort)) if abort.notice.is_some() => stop_rule(stated),
            _ => usual_notice(stop_rule(stated), is_llm),
        });
        if let (Some(stated), Some(Stopping { rule, source, is_known: true })) = (stated, &found)
            && stated != *rule
        {
            let theirs = in_words(*rule);
            self.note(format!("service.onTerminate is {}, while {source}: {theirs}", in_words(stated)));
        }
        let (stop, source) = match (stated, found) {
            (Some(stated), _) => (stated, None),
            (None, Some(found)) => {
                if !found.is_known {
                    let source = &found.source;
                    self.note(format!(
                        "service.onTerminate: finish, since it is not known what the server ({source}) does when it is told to stop"
                    ));
                }
                (found.rule, Some(found.source))
            }
            (None, None) => (StopRule::FINISH, None),
        };
        (PodSpec { drain_delay, stop, ..pod }, source)
    }

    fn found_stopping(&self) -> Option<Stopping> {
        let node = &self.workload.as_ref()?.deployment.node;
        let template = node.at(&["spec", "template"]).unwrap_or(node);
        Some(stopping(gpu_containers(template).first().copied()?, engine(template)?))
    }

    /// Says which share of the requests in service at a scale-in does not survive it; `source` says why the server does what it does.
    pub(super) fn note_lost_at_stop(&mut self, service: &ServiceSpec, source: Option<&str>) {
        let within = match service.pod.stop {
            StopRule::Abort | StopRule::Halt => SimDuration::ZERO,
            StopRule::Finish { within: Some(within), .. } => within,
            StopRule::Finish { within: None, .. } => return,
        };
        let left = (service.pod.pre_stop + within).min(service.pod.grace);
        let share = share_lost(&service.model, left);
        if share < SHARE_MIN {
            return;
        }
        let fate = match service.kill_rule {
            KillRule::Fail => "are lost",
            KillRule::Requeue => "begin anew",
        };
        let rule = in_words(service.pod.stop);
        let because = source.map(|source| format!(" ({source})")).unwrap_or_default();
        // A language model's requests take longer the more of them there are.
        let about = if matches!(service.model, ServiceModel::ContinuousBatching { .. }) { "at least" } else { "about" };
        self.notes.push(format!(
            "service.onTerminate is {rule}{because}: {left} after the deletion of its pod the server gives up, so that {about} {:.1} % of the \
             requests in service at a scale-in {fate}; a preStop hook that outlasts them, or waits for them, prevents it",
            share * 100.0
        ));
    }
}

/// An LLM engine that aborts is gone for its clients when it is killed, unless it is said to tell them.
fn usual_notice(rule: StopRule, is_llm: bool) -> StopRule {
    if is_llm && rule == StopRule::Abort { StopRule::Halt } else { rule }
}

fn stop_rule(stated: &StopFile) -> StopRule {
    match stated {
        TextOr::Amount(StopWord::Finish) => StopRule::FINISH,
        TextOr::Choice(StopChoice::Abort(AbortFile { notice: Some(NoticeFile::AtKill) })) => StopRule::Halt,
        TextOr::Amount(StopWord::Abort) | TextOr::Choice(StopChoice::Abort(_)) => StopRule::Abort,
        TextOr::Choice(StopChoice::Finish(finish)) => StopRule::Finish {
            within: finish.within.map(Time::duration),
            poll: finish.poll.map(Time::duration).unwrap_or_default(),
        },
    }
}

/// Of the requests in service at an instant, the share that is not answered `left` later.
fn share_lost(model: &ServiceModel, left: SimDuration) -> f64 {
    match model {
        ServiceModel::Slots { service, .. } => {
            let (sampler, mut stream) = (service.sampler(), Stream::new(1, Purpose::Resampling, 0));
            share_longer(left, || sampler.sample(&mut stream))
        }
        ServiceModel::DynamicBatching { latency, .. } => {
            let longest = latency.table.last().copied().unwrap_or_default().as_secs_f64();
            share_longer(left, || longest)
        }
        ServiceModel::ContinuousBatching { prompt_tokens, output_tokens, law, .. } => {
            let iteration = law.seconds(&Iteration { decodes: 1.0, sequences: 1.0, ..Iteration::default() });
            let mut stream = Stream::new(1, Purpose::Resampling, 0);
            let samplers = [prompt_tokens, output_tokens].map(Distribution::sampler);
            share_longer(left, || {
                let [prompt, output] = [samplers[0].sample(&mut stream), samplers[1].sample(&mut stream)];
                let context = prompt * prompt / 2.0;
                let first = Iteration { decodes: 1.0, sequences: 1.0, prompt, context, ..Iteration::default() };
                law.seconds(&first) + (output - 1.0) * iteration
            })
        }
    }
}

/// The share whose rest takes longer than `left`: longer ones are met more often, and on the average half-way.
fn share_longer(left: SimDuration, mut draw: impl FnMut() -> f64) -> f64 {
    let left = left.as_secs_f64();
    let (mut longer, mut all) = (0.0, 0.0);
    for _ in 0..DRAWS {
        let time = draw();
        longer += (time - left).max(0.0);
        all += time;
    }
    if all > 0.0 { longer / all } else { 0.0 }
}
