//! Load tests and sessions.

use std::sync::Arc;

use units::SimDuration;
use workload::{ArrivalRule, Distribution, LoadTest, SessionLaw, Stage, StageLength, StageLoad, Traffic};

use crate::error::ScenarioError;
use crate::file::{ArrivalsFile, ClosedLoopFile, ModelFile, ServiceView, StageFile, TextOr, TrafficFile};
use crate::quantity::{Share, Time};

use super::Context;

/// Clients at once, at most.
const CLIENTS_MAX: u32 = 1_000_000;

/// What a tool takes that says nothing else.
const TOOL_PAUSE: Time = Time(1.0);

impl Context<'_> {
    /// The load test that the traffic is, if it is one.
    pub(super) fn load_test(&mut self, spec: &ServiceView) -> Result<Option<Traffic>, ScenarioError> {
        let file = &spec.traffic;
        self.check_stage_keys(file)?;
        let length = spec.run.duration.duration();
        let stages = match (&file.stages, &file.closed_loop) {
            (None, None) => return Ok(None),
            (Some(stages), _) => {
                let each = stages.iter().enumerate();
                each.map(|(index, stage)| self.stage(file, stage, index)).collect::<Result<Vec<_>, _>>()?
            }
            (None, Some(closed)) => vec![self.closed_loop(closed, length)?],
        };
        let or_tool = |time: Option<Time>| time.unwrap_or(TOOL_PAUSE).duration();
        let drain = file.drain.then(|| or_tool(file.poll) + or_tool(file.lead));
        let test = LoadTest { start: file.shift.duration(), stages, drain };
        let path = if file.stages.is_some() { "spec.traffic.stages" } else { "spec.traffic.closedLoop" };
        test.validate().map_err(|error| self.inconsistent(path, &error.to_string()))?;
        self.check_clients(spec, &test, path)?;
        let unending = test.stages.iter().filter(|stage| matches!(stage.load, StageLoad::Open { .. }));
        let nominal: f64 = unending.map(|stage| nominal_s(stage) + stage.gap.as_secs_f64()).sum();
        if nominal + file.shift.0 > length.as_secs_f64() {
            self.note(format!(
                "the stages take {nominal:.0}s at least and the run ends after {}s: what is due later is never sent",
                length.as_secs_f64()
            ));
        }
        Ok(Some(Traffic::LoadTest(Arc::new(test))))
    }

    /// Keys that belong to load tests stand with one, and those of other traffic do not.
    fn check_stage_keys(&self, file: &TrafficFile) -> Result<(), ScenarioError> {
        let is_staged = file.stages.is_some();
        let of_stages = [("drain", file.drain), ("interval", file.interval.is_some())];
        let of_drain = [("poll", file.poll.is_some()), ("lead", file.lead.is_some())];
        if let Some((key, _)) = of_stages.into_iter().chain(of_drain).find(|(_, is_there)| *is_there && !is_staged) {
            return Err(self.inconsistent(&format!("spec.traffic.{key}"), "goes with `stages`"));
        }
        if let Some((key, _)) = of_drain.into_iter().find(|(_, is_there)| *is_there && !file.drain) {
            return Err(self.inconsistent(&format!("spec.traffic.{key}"), "goes with `drain: true`"));
        }
        if !is_staged && file.closed_loop.is_none() {
            return Ok(());
        }
        let key = if is_staged { "stages" } else { "closedLoop" };
        let others = [
            ("trace", file.trace.is_some()),
            ("generator", file.generator.is_some()),
            ("sum", file.sum.is_some()),
            ("closedLoop", is_staged && file.closed_loop.is_some()),
        ];
        if let Some((other, _)) = others.into_iter().find(|(_, is_there)| *is_there) {
            return Err(self.inconsistent("spec.traffic", &format!("only one of `{key}` and `{other}`")));
        }
        let not_for_tests =
            [("factor", file.factor.is_some()), ("repeat", file.repeat != 1), ("clip", file.clip.is_some())];
        if let Some((other, _)) = not_for_tests.into_iter().find(|(_, is_there)| *is_there) {
            return Err(self.inconsistent(&format!("spec.traffic.{other}"), &format!("is not for `{key}`")));
        }
        let has_clients = |stages: &Vec<StageFile>| stages.iter().any(|stage| stage.concurrency.is_some());
        if file.scale.0 != 1.0 && (!is_staged || file.stages.as_ref().is_some_and(has_clients)) {
            return Err(self.inconsistent("spec.traffic.scale", "clients are not scaled: state another `concurrency`"));
        }
        Ok(())
    }

    fn stage(&self, file: &TrafficFile, stage: &StageFile, index: usize) -> Result<Stage, ScenarioError> {
        let path = format!("spec.traffic.stages[{index}]");
        let refuse = |key: &str, reason: &str| Err(self.inconsistent(&format!("{path}{key}"), reason));
        let usual = Time(if file.drain { TOOL_PAUSE.0 } else { 0.0 });
        let gap = stage.gap.or(file.interval).unwrap_or(usual).duration();
        let scaled = |count: u64, Share(scale): Share| (count as f64 * scale).round() as u64;
        let length = match (stage.duration, stage.count) {
            (Some(duration), None) => StageLength::Duration(duration.duration()),
            (None, Some(count)) => StageLength::Requests(scaled(count, file.scale)),
            _ => return refuse("", "needs `duration` or `count`, and not both"),
        };
        let load = match (stage.rate, stage.concurrency) {
            (Some(rate), None) => {
                if stage.ramp.is_some() || stage.delay.is_some() {
                    return refuse("", "`ramp` and `delay` are for clients: they go with `concurrency`");
                }
                if stage.concurrency_max == Some(0) {
                    return refuse(".concurrencyMax", "must be at least 1");
                }
                let arrivals = rule(stage.arrivals.unwrap_or(ArrivalsFile::Poisson));
                if let ArrivalRule::Gamma { shape } = arrivals
                    && !(shape > 0.0 && shape.is_finite())
                {
                    return refuse(".arrivals.gamma.shape", "must be a number above 0");
                }
                StageLoad::Open { rate: rate.0 * file.scale.0, arrivals, concurrency_max: stage.concurrency_max }
            }
            (None, Some(concurrency)) => {
                if stage.arrivals.is_some() || stage.concurrency_max.is_some() {
                    return refuse("", "`arrivals` and `concurrencyMax` are for requests at a `rate`");
                }
                StageLoad::Closed {
                    concurrency,
                    ramp: stage.ramp.map_or(SimDuration::ZERO, Time::duration),
                    delay: self.delay(stage.delay.as_ref(), &format!("{path}.delay"))?,
                }
            }
            _ => return refuse("", "needs `rate` or `concurrency`, and not both"),
        };
        Ok(Stage { load, length, gap })
    }

    fn closed_loop(&self, closed: &ClosedLoopFile, run: SimDuration) -> Result<Stage, ScenarioError> {
        let length = match (closed.requests, closed.duration) {
            (Some(_), Some(_)) => {
                return Err(self.inconsistent("spec.traffic.closedLoop", "only one of `requests` and `duration`"));
            }
            (Some(requests), None) => StageLength::Requests(requests),
            (None, duration) => StageLength::Duration(duration.map_or(run, Time::duration)),
        };
        let load = StageLoad::Closed {
            concurrency: closed.concurrency,
            ramp: closed.ramp.map_or(SimDuration::ZERO, Time::duration),
            delay: self.delay(closed.delay.as_ref(), "spec.traffic.closedLoop.delay")?,
        };
        Ok(Stage { load, length, gap: SimDuration::ZERO })
    }

    fn delay(
        &self,
        delay: Option<&crate::file::Distribution<Time>>,
        path: &str,
    ) -> Result<Distribution, ScenarioError> {
        delay.map_or(Ok(Distribution::Constant(0.0)), |delay| self.distribution(delay, path))
    }

    /// Clients that wait for answers: how many there may be, and what they do to each other.
    fn check_clients(&mut self, spec: &ServiceView, test: &LoadTest, path: &str) -> Result<(), ScenarioError> {
        let clients = test.stages.iter().filter_map(|stage| match &stage.load {
            StageLoad::Closed { concurrency, .. } => Some(*concurrency),
            StageLoad::Open { .. } => None,
        });
        let Some(most) = clients.max() else { return Ok(()) };
        if most > CLIENTS_MAX {
            return Err(self.inconsistent(path, &format!("{most} clients at once are too many; at most {CLIENTS_MAX}")));
        }
        match &spec.service.model {
            ModelFile::Slots(slots) if matches!(slots.service_time, TextOr::Amount(Time(time)) if time <= 0.0) => {
                let reason = "clients that wait for answers need a service that takes time";
                Err(self.inconsistent("spec.service.model.slots.serviceTime", reason))
            }
            ModelFile::ContinuousBatching(model)
                if most > 1 && is_constant(&model.prompt_tokens) && is_constant(&model.output_tokens) =>
            {
                self.note(
                    "clients that wait for answers, and all lengths are equal: they are answered together and ask again together, so that the time to \
                     first token shows their synchronisation, not the engine. Compare throughput, or give `promptTokens` and `outputTokens` a spread"
                        .to_owned(),
                );
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The traffic as first turns of sessions, if it has sessions.
    pub(super) fn sessions(&self, spec: &ServiceView, starts: Traffic) -> Result<Traffic, ScenarioError> {
        let Some(file) = &spec.traffic.sessions else { return Ok(starts) };
        let path = "spec.traffic.sessions";
        if starts.follows_answers() {
            let reason = "begin with requests that wait for nobody: not those of clients, `drain` or `concurrencyMax`";
            return Err(self.inconsistent(path, reason));
        }
        let is_language_model = matches!(spec.service.model, ModelFile::ContinuousBatching(_));
        if file.new_tokens.is_some() && !is_language_model {
            let reason = "needs a service that counts tokens: `service.model.continuousBatching`";
            return Err(self.inconsistent(&format!("{path}.newTokens"), reason));
        }
        let new_tokens = file.new_tokens.as_ref().map(|law| self.distribution(law, &format!("{path}.newTokens")));
        let law = SessionLaw {
            turns: self.distribution(&file.turns, &format!("{path}.turns"))?,
            think_time: self.distribution(&file.think_time, &format!("{path}.thinkTime"))?,
            new_tokens: new_tokens.transpose()?,
        };
        Ok(Traffic::Sessions { starts: Box::new(starts), law })
    }
}

fn rule(arrivals: ArrivalsFile) -> ArrivalRule {
    match arrivals {
        ArrivalsFile::Poisson => ArrivalRule::Poisson,
        ArrivalsFile::ExactPoisson => ArrivalRule::Gamma { shape: 1.0 },
        ArrivalsFile::PerSecondPoisson => ArrivalRule::PerSecondPoisson,
        ArrivalsFile::Gamma { shape } => ArrivalRule::Gamma { shape },
        ArrivalsFile::Even => ArrivalRule::Even,
    }
}

fn is_constant<A>(law: &crate::file::Distribution<A>) -> bool {
    matches!(law, TextOr::Amount(_) | TextOr::Choice(crate::file::DistributionChoice::Constant(_)))
}

/// Seconds that a stage at a rate is meant to take.
fn nominal_s(stage: &Stage) -> f64 {
    match (&stage.load, stage.length) {
        (_, StageLength::Duration(duration)) => duration.as_secs_f64(),
        (StageLoad::Open { rate, .. }, StageLength::Requests(count)) => count as f64 / rate,
        (StageLoad::Closed { .. }, StageLength::Requests(_)) => 0.0,
    }
}
