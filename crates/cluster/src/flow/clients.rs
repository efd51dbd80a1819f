//! What the clients of a service do: how long they wait, when they ask again, and for what.

use units::SimDuration;
use workload::{Distribution, Purpose, Sampler, Stream};

use super::intake::{Intake, NEVER};
use super::reactive::Ticket;
use crate::spec::{Overhead, Patience, RetryDemand, RetrySpec, ServiceModel, ServiceSpec};

/// Number of a request of the prehistory, so that those after it have the numbers they have without one.
const EARLY: u64 = 1 << 63;
/// Where the number of an attempt stands in that of its random stream, above those of requests.
const ATTEMPT_SHIFT: u32 = 44;

/// How long one client waits from the arrival of each of its attempts, nanoseconds; [`NEVER`] is for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Waits {
    /// For its answer, wherever it is by then.
    pub answer: u64,
    /// For its service to begin (with a language model, for its first token).
    pub service: u64,
}

impl Waits {
    /// How long it stays in a queue.
    pub fn in_queue(self) -> u64 {
        self.answer.min(self.service)
    }
}

#[derive(Clone, Debug)]
enum Limit {
    Fixed(u64),
    Drawn(Sampler),
}

impl Limit {
    fn of(patience: Option<&Patience>) -> Self {
        match patience {
            None => Self::Fixed(NEVER),
            Some(Patience::Fixed(limit)) => Self::Fixed(limit.as_nanos()),
            Some(Patience::Drawn(law)) => Self::Drawn(law.sampler()),
        }
    }

    fn of_overhead(model: &ServiceModel) -> Self {
        match model {
            ServiceModel::ContinuousBatching { overhead: Overhead::Fixed(overhead), .. } => {
                Self::Fixed(overhead.as_nanos())
            }
            ServiceModel::ContinuousBatching { overhead: Overhead::Drawn(law), .. } => Self::Drawn(law.sampler()),
            ServiceModel::Slots { .. } | ServiceModel::DynamicBatching { .. } => Self::Fixed(0),
        }
    }

    /// Its length for the client whose dice these are. At least a nanosecond: nobody leaves before the requests of its instant are served.
    fn length(&self, dice: &mut Stream) -> u64 {
        match self {
            Self::Fixed(length) => *length,
            Self::Drawn(law) => SimDuration::from_secs_f64(law.sample(dice)).as_nanos().max(1),
        }
    }
}

/// The clients of a service.
pub(super) struct Clients {
    seed: u64,
    answer: Limit,
    service: Limit,
    /// What their requests take outside the engine.
    overhead: Limit,
    retries: Option<RetrySpec>,
    /// Of what an attempt asks for that is not the first, if not for the same again: seconds, or tokens of the answer.
    demand: Option<Sampler>,
    dice: Stream,
    /// Requests that have been given a number: of the run, and before it.
    numbered: (u64, u64),
}

impl Clients {
    /// Those of `service`, under its seed.
    pub fn of(service: &ServiceSpec, seed: u64) -> Self {
        let is_redrawn = service.retries.as_ref().is_some_and(|retries| retries.demand == RetryDemand::Redraw);
        let demand = match &service.model {
            ServiceModel::Slots { service, .. } => Some(service),
            ServiceModel::ContinuousBatching { output_tokens, .. } => Some(output_tokens),
            ServiceModel::DynamicBatching { .. } => None,
        };
        Self {
            seed,
            answer: Limit::of(service.client_timeout.as_ref()),
            service: Limit::of(service.client_patience.as_ref()),
            overhead: Limit::of_overhead(&service.model),
            retries: service.retries.clone(),
            demand: demand.filter(|_| is_redrawn).map(Distribution::sampler),
            dice: Stream::new(seed, Purpose::Client, 0),
            numbered: (0, 0),
        }
    }

    /// Whether some wait longer than others, so that they do not leave in the order in which they came.
    pub fn differ(&self) -> bool {
        matches!(self.answer, Limit::Drawn(_)) || matches!(self.service, Limit::Drawn(_))
    }

    /// Whether they wait for the beginning of service no longer than for its end.
    pub fn have_patience(&self) -> bool {
        !matches!(self.service, Limit::Fixed(NEVER))
    }

    /// Whether they ask again.
    pub fn retry(&self) -> bool {
        self.retries.is_some()
    }

    /// The number of a request that arrives for the first time, from which all that is drawn for it follows; 0 where nothing is.
    #[inline]
    pub fn number(&mut self, intake: &Intake, ticket: Ticket, at: u64) -> u64 {
        if !self.differ() && self.demand.is_none() && matches!(self.overhead, Limit::Fixed(_)) {
            return 0;
        }
        if let Some(identity) = intake.identity(ticket) {
            return identity;
        }
        let is_early = intake.is_early(at);
        let counter = if is_early { &mut self.numbered.1 } else { &mut self.numbered.0 };
        *counter += 1;
        if is_early { EARLY | *counter } else { *counter }
    }

    /// How long the client of a request waits.
    #[inline]
    pub fn waits(&self, number: u64) -> Waits {
        if let (Limit::Fixed(answer), Limit::Fixed(service)) = (&self.answer, &self.service) {
            return Waits { answer: *answer, service: *service };
        }
        let mut dice = Stream::new(self.seed, Purpose::Patience, number);
        let answer = self.answer.length(&mut dice);
        Waits { answer, service: self.service.length(&mut dice) }
    }

    /// Nanoseconds that a request takes outside the engine.
    #[inline]
    pub fn overhead(&self, number: u64) -> u64 {
        match &self.overhead {
            Limit::Fixed(overhead) => *overhead,
            drawn @ Limit::Drawn(_) => drawn.length(&mut Stream::new(self.seed, Purpose::Overhead, number)),
        }
    }

    /// Nanoseconds from the end of attempt number `attempt` to the next one; `None` if there is none.
    pub fn pause_after(&mut self, attempt: u32) -> Option<u64> {
        self.retries.as_ref()?.pause_after(attempt, &mut self.dice)
    }

    /// What attempt number `attempt` of a request asks for, if that is drawn anew.
    pub fn demand(&self, number: u64, attempt: u32) -> Option<f64> {
        let entity = number.wrapping_add(u64::from(attempt) << ATTEMPT_SHIFT);
        let law = self.demand.as_ref()?;
        Some(law.sample(&mut Stream::new(self.seed, Purpose::Retry, entity)))
    }
}
