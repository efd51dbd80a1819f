//! Arrival processes, read block by block.

use std::sync::Arc;

use units::SimTime;

use crate::load_test::StageWalk;
use crate::merge::Merge;
use crate::replay::Replay;
use crate::thin::Thin;
use crate::tokens::WithTokens;
use crate::walk::CurveWalk;
use crate::{
    Distribution, DistributionError, LoadTest, LoadTestError, Purpose, RateCurve, RateError, SessionLaw, Stream,
    TraceChunk, TraceSource,
};

/// Where requests come from.
#[derive(Clone, Debug)]
pub enum Traffic {
    /// A Poisson process whose rate follows a curve, exactly (unused parts of gaps are rescaled at each step's edge).
    Poisson {
        /// The rate.
        rate: Arc<RateCurve>,
    },
    /// Gaps of a renewal process with mean 1 and the given distribution shape, run through the curve's operational time. The first request
    /// comes one gap after the start.
    Renewal {
        /// The rate.
        rate: Arc<RateCurve>,
        /// Distribution of gaps; its mean is scaled to 1.
        gaps: Distribution,
    },
    /// Recorded requests, each `copies` times.
    Replay {
        /// The trace.
        source: Arc<dyn TraceSource>,
        /// How often each request is repeated; a fraction spreads evenly, so that exactly `floor(len * copies)` requests arrive. The first
        /// copy of a request arrives when it was recorded, the others at random before the next recorded one (after the last: within
        /// the mean gap) and before the end of the run.
        copies: f64,
    },
    /// Recorded requests, drawn anew under every seed: each comes a Poisson number of times with mean `copies`, placed as the copies of
    /// [`Traffic::Replay`]. The rate is that of the trace at every time, and so are the tokens that go together.
    Resampled {
        /// The trace.
        source: Arc<dyn TraceSource>,
        /// How often each request comes in the mean.
        copies: f64,
    },
    /// A load test. Here its requests come only if none waits for an answer; the others are sent by a [`crate::LoadDriver`].
    LoadTest(Arc<LoadTest>),
    /// Conversations: each request of a source begins one. Its later turns follow from answers and are not here, see
    /// [`crate::Conversation`].
    Sessions {
        /// First turns.
        starts: Box<Traffic>,
        /// How they go on.
        law: SessionLaw,
    },
    /// All of these at once; each source draws its own numbers, so that adding one leaves those before it as they were.
    Merge(Vec<Traffic>),
    /// A source times a factor over time: a request at `t` comes ⌊f(t)⌋ times, and once more with the probability that is left of f(t),
    /// independent of all others. The first copy comes when the request came, the others at random before the next one of the source and the end of the curve's step. Thinned
    /// so, a Poisson process stays one. Where the curve has ended nothing passes.
    Thinned {
        /// What is thinned.
        source: Box<Traffic>,
        /// The factor, as a curve of numbers without unit.
        factor: Arc<RateCurve>,
    },
    /// A source without tokens, with tokens drawn for each request.
    WithTokens {
        /// What has none.
        source: Box<Traffic>,
        /// Prompt tokens.
        prompt: Distribution,
        /// Output tokens.
        output: Distribution,
    },
}

/// Why a traffic cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrafficError {
    /// Its rate curve is broken.
    #[error(transparent)]
    Rate(#[from] RateError),
    /// The distribution of gaps is broken.
    #[error("gaps: {0}")]
    Gaps(#[from] DistributionError),
    /// Gaps are all zero.
    #[error("gaps have a mean of 0; arrivals would never end")]
    NoGaps,
    /// A distribution of tokens is broken.
    #[error("tokens: {0}")]
    Tokens(DistributionError),
    /// Tokens are drawn for a source that has its own.
    #[error("tokens are drawn for requests that have tokens of their own")]
    TokensTwice,
    /// The number of copies is NaN, infinite or negative.
    #[error("copies is {copies}; it must be a finite number, not negative")]
    Copies {
        /// As given.
        copies: f64,
    },
    /// A load test is broken.
    #[error(transparent)]
    LoadTest(#[from] LoadTestError),
    /// A law of sessions is broken.
    #[error("sessions.{key}: {error}")]
    Sessions {
        /// Which.
        key: &'static str,
        /// What is wrong with it.
        error: DistributionError,
    },
    /// Some merged sources have token columns and some do not.
    #[error("some of the merged sources have tokens and some have none; all or none must")]
    MixedTokens,
}

impl Traffic {
    /// Whether it can be run. [`ArrivalCursor`] relies on it.
    pub fn validate(&self) -> Result<(), TrafficError> {
        match self {
            Self::Poisson { rate } => Ok(rate.validate()?),
            Self::Renewal { rate, gaps } => {
                rate.validate()?;
                gaps.validate()?;
                if gaps.mean() > 0.0 { Ok(()) } else { Err(TrafficError::NoGaps) }
            }
            Self::Replay { copies, .. } | Self::Resampled { copies, .. } if copies.is_finite() && *copies >= 0.0 => {
                Ok(())
            }
            Self::Replay { copies, .. } | Self::Resampled { copies, .. } => {
                Err(TrafficError::Copies { copies: *copies })
            }
            Self::LoadTest(test) => Ok(test.validate()?),
            Self::Sessions { starts, law } => {
                starts.validate()?;
                law.validate().map_err(|(key, error)| TrafficError::Sessions { key, error })
            }
            Self::Merge(sources) => {
                sources.iter().try_for_each(Self::validate)?;
                let with_tokens = sources.iter().filter(|source| source.has_tokens()).count();
                if with_tokens == 0 || with_tokens == sources.len() { Ok(()) } else { Err(TrafficError::MixedTokens) }
            }
            Self::Thinned { source, factor } => {
                factor.validate()?;
                source.validate()
            }
            Self::WithTokens { source, prompt, output } => {
                source.validate()?;
                if source.has_tokens() {
                    return Err(TrafficError::TokensTwice);
                }
                prompt.validate().and_then(|()| output.validate()).map_err(TrafficError::Tokens)
            }
        }
    }

    /// Whether some of its requests come because others have ended. A cursor has only those that do not.
    pub fn follows_answers(&self) -> bool {
        match self {
            Self::LoadTest(test) => test.follows_answers(),
            Self::Sessions { .. } => true,
            _ => false,
        }
    }

    /// True if its requests come with tokens.
    pub fn has_tokens(&self) -> bool {
        match self {
            Self::Poisson { .. } | Self::Renewal { .. } | Self::LoadTest(_) => false,
            Self::Sessions { starts, .. } => starts.has_tokens(),
            Self::Replay { source, .. } | Self::Resampled { source, .. } => source.has_tokens(),
            Self::Merge(sources) => sources.iter().any(Self::has_tokens),
            Self::Thinned { source, .. } => source.has_tokens(),
            Self::WithTokens { .. } => true,
        }
    }
}

/// Reads the requests of a [`Traffic`] in order of arrival.
pub struct ArrivalCursor(Kind);

enum Kind {
    Walk(CurveWalk),
    Replay(Replay),
    Stages(StageWalk),
    Merge(Merge),
    Thin(Box<Thin>),
    WithTokens(WithTokens),
}

impl ArrivalCursor {
    /// Starts at the beginning; nothing arrives at or after `end`. The traffic must be valid.
    pub fn new(traffic: &Traffic, seed: u64, end: SimTime) -> Self {
        Self(match traffic {
            Traffic::Poisson { rate } => {
                Kind::Walk(CurveWalk::new(rate, &Distribution::Exponential { mean: 1.0 }, seed, end))
            }
            Traffic::Renewal { rate, gaps } => Kind::Walk(CurveWalk::new(rate, gaps, seed, end)),
            Traffic::Replay { source, copies } => Kind::Replay(Replay::new(source.as_ref(), *copies, seed, end)),
            Traffic::Resampled { source, copies } => {
                Kind::Replay(Replay::resampled(source.as_ref(), *copies, seed, end))
            }
            Traffic::LoadTest(test) => Kind::Stages(StageWalk::new(test, seed, end)),
            Traffic::Sessions { starts, .. } => return Self::new(starts, seed, end),
            Traffic::Merge(sources) => {
                let cursor = |(index, source): (usize, &Traffic)| {
                    // Entity 0 is the arrivals of a single source; the seeds of merged ones come from the entities after it.
                    let own_seed = Stream::new(seed, Purpose::Arrivals, index as u64 + 1).next_u64();
                    Self::new(source, own_seed, end)
                };
                Kind::Merge(Merge::new(sources.iter().enumerate().map(cursor).collect()))
            }
            Traffic::Thinned { source, factor } => {
                Kind::Thin(Box::new(Thin::new(Self::new(source, seed, end), factor, seed, end)))
            }
            Traffic::WithTokens { source, prompt, output } => {
                Kind::WithTokens(WithTokens::new(Self::new(source, seed, end), prompt, output, seed))
            }
        })
    }

    /// Appends the next block (one to a few thousand requests) to `chunk`; false, and nothing appended, at the end.
    pub fn fill(&mut self, chunk: &mut TraceChunk) -> bool {
        match &mut self.0 {
            Kind::Walk(walk) => walk.fill(&mut chunk.arrival_ns),
            Kind::Replay(replay) => replay.fill(chunk),
            Kind::Stages(stages) => stages.fill(&mut chunk.arrival_ns),
            Kind::Merge(merge) => merge.fill(chunk),
            Kind::Thin(thin) => thin.fill(chunk),
            Kind::WithTokens(with_tokens) => with_tokens.fill(chunk),
        }
    }
}
