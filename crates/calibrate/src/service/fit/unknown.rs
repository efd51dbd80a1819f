//! What a fit may change of an engine.

use super::engine::Engine;

/// Which coefficient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    DecodeFactor,
    PrefillFactor,
    /// Seconds per sequence and iteration.
    PerSequence,
    /// Seconds added to every iteration.
    HostTime,
    /// Seconds outside the engine.
    Overhead,
    /// A factor on the time of the pass at this place of the table.
    Pass(usize),
    /// Seconds per token in the cache.
    PerKvToken,
    /// Seconds per prompt token and token before it.
    PerPromptTokenContext,
}

/// A coefficient with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unknown {
    pub which: Which,
    pub start: f64,
    pub bounds: (f64, f64),
    /// By how much it is moved to see what it does.
    pub step: f64,
    /// How far it usually is from where it starts.
    pub usual: f64,
}

impl Unknown {
    /// With the bounds that are believed of it.
    pub fn new(which: Which, start: f64) -> Self {
        let (bounds, step, usual) = match which {
            Which::DecodeFactor | Which::PrefillFactor => ((0.5, 2.0), 0.01, 0.2),
            Which::PerSequence => ((0.0, 200e-6), 2e-6, 30e-6),
            Which::HostTime => ((0.0, 10e-3), 0.1e-3, 1e-3),
            Which::Overhead => ((0.0, 0.5), 1e-3, 20e-3),
            Which::Pass(_) => ((0.05, 20.0), 0.02, 0.3),
            Which::PerKvToken | Which::PerPromptTokenContext => {
                ((0.0, 1e-3), start.max(1e-12) * 0.05, start.max(1e-12))
            }
        };
        Self { which, start, bounds, step, usual }
    }

    /// Gives it this value.
    pub fn set(&self, engine: &mut Engine, value: f64) {
        match self.which {
            Which::DecodeFactor => engine.decode_factor = value,
            Which::PrefillFactor => engine.prefill_factor = value,
            Which::PerSequence => engine.law.per_sequence_s = value,
            Which::HostTime => engine.host_s = value,
            Which::Overhead => engine.overhead_s = value,
            Which::Pass(place) => engine.pass_factors[place] = value,
            Which::PerKvToken => engine.law.per_kv_token_s = value,
            Which::PerPromptTokenContext => engine.law.per_prompt_token_context_s = value,
        }
    }

    /// Its key in a scenario, or what it is called.
    pub fn name(&self, engine: &Engine) -> String {
        match self.which {
            Which::DecodeFactor => "decodeFactor".to_owned(),
            Which::PrefillFactor => "prefillFactor".to_owned(),
            Which::PerSequence => "perSequence".to_owned(),
            Which::HostTime => "added to every tokenTime".to_owned(),
            Which::Overhead => "overhead".to_owned(),
            Which::Pass(place) => format!("tokenTime of {}", engine.law.token_time[place].0),
            Which::PerKvToken => "perKvToken".to_owned(),
            Which::PerPromptTokenContext => "perPromptTokenContext".to_owned(),
        }
    }

    /// True if its value is a time in seconds.
    pub fn is_time(&self) -> bool {
        !matches!(self.which, Which::DecodeFactor | Which::PrefillFactor)
    }
}
