//! One load test of an LLM service, as its file tells it.

/// How requests were sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RunLoad {
    /// At a rate, requests per second, with so many under way at most.
    Rate {
        /// Requests per second asked for.
        rate: f64,
        /// Bound of the generator.
        concurrency_max: Option<u32>,
    },
    /// So many under way at all times.
    Concurrency(u32),
}

/// Which figure of a latency the file gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The mean.
    Mean,
    /// The median, where there is no mean.
    Median,
}

impl Statistic {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Median => "median",
        }
    }
}

/// Tokens of the requests.
#[derive(Clone, Debug, PartialEq)]
pub struct RunTokens {
    /// Mean.
    pub mean: f64,
    /// Standard deviation; 0 where the file does not say or all are alike.
    pub deviation: f64,
}

impl RunTokens {
    /// All alike, as far as is known.
    pub fn constant(mean: f64) -> Self {
        Self { mean, deviation: 0.0 }
    }
}

/// A load test, or one stage of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LlmRun {
    /// Where it is from: the file and, where it holds several, which.
    pub name: String,
    /// How requests were sent.
    pub load: RunLoad,
    /// Requests answered, where the file says.
    pub completed: Option<f64>,
    /// Requests answered per second.
    pub requests_per_second: f64,
    /// Prompts.
    pub prompt: RunTokens,
    /// Outputs.
    pub output: RunTokens,
    /// Tokens of each request, where the file lists them.
    pub tokens: Vec<(u32, u32)>,
    /// Time to first token of each of these in seconds, likewise.
    pub ttfts_s: Vec<f64>,
    /// What the three latencies below are.
    pub statistic: Statistic,
    /// Time to first token in seconds.
    pub ttft_s: Option<f64>,
    /// Time per further token in seconds, as the file has it.
    pub tpot_s: Option<f64>,
    /// Time to the whole answer in seconds.
    pub e2e_s: Option<f64>,
    /// Share of requests that failed, 0 to 1.
    pub failed_share: f64,
    /// Time to first token over the first and the last third of the requests.
    pub ttft_thirds_s: Option<(f64, f64)>,
    /// Made by a simulator.
    pub is_simulated: bool,
    /// The model it names.
    pub model: Option<String>,
}

impl LlmRun {
    /// The time per further token that follows from the whole answer.
    pub fn tpot_of_answers_s(&self) -> Option<f64> {
        let steps = self.output.mean - 1.0;
        (steps > 0.0).then(|| Some((self.e2e_s? - self.ttft_s?) / steps))?
    }

    /// The same load on one of `replicas` replicas that share it.
    pub fn shared_by(mut self, replicas: u32) -> Self {
        let share = f64::from(replicas.max(1));
        let divided = |bound: u32| ((f64::from(bound) / share).round() as u32).max(1);
        self.requests_per_second /= share;
        self.completed = self.completed.map(|count| count / share);
        self.load = match self.load {
            RunLoad::Rate { rate, concurrency_max } => {
                RunLoad::Rate { rate: rate / share, concurrency_max: concurrency_max.map(divided) }
            }
            RunLoad::Concurrency(bound) => RunLoad::Concurrency(divided(bound)),
        };
        if replicas > 1 {
            // One request in so many came to this replica.
            self.tokens = self.tokens.into_iter().step_by(replicas as usize).collect();
            self.ttfts_s = self.ttfts_s.into_iter().step_by(replicas as usize).collect();
        }
        self
    }
}
