//! Conversations: each turn is asked when the one before has been answered and its reader has thought, and carries all that was said.

use crate::{Distribution, DistributionError, Purpose, Sampler, Stream};

/// How sessions go on after their first turn.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionLaw {
    /// Turns of a session, the first included; rounded, at least 1.
    pub turns: Distribution,
    /// Seconds from an answer to the next turn.
    pub think_time: Distribution,
    /// Tokens that a turn adds to what was said before; `None`: as many as a first prompt has.
    pub new_tokens: Option<Distribution>,
}

impl SessionLaw {
    /// Whether its distributions make sense; if not, which and why.
    pub fn validate(&self) -> Result<(), (&'static str, DistributionError)> {
        let each = [
            ("turns", Some(&self.turns)),
            ("thinkTime", Some(&self.think_time)),
            ("newTokens", self.new_tokens.as_ref()),
        ];
        each.into_iter()
            .try_for_each(|(key, law)| law.map_or(Ok(()), |law| law.validate().map_err(|error| (key, error))))
    }
}

/// Deals out the turns of sessions.
pub struct Conversation {
    turns: Sampler,
    think_time: Sampler,
    /// Of a turn that follows: added prompt and output tokens, for services that count them.
    tokens: Option<(Sampler, Sampler)>,
    seed: u64,
}

/// Where a session is. Its numbers are its own, whatever happens to others.
#[derive(Clone, Debug)]
pub struct Turn {
    /// Turns that are still to come.
    left: u32,
    /// Prompt and answer of the turn under way.
    tokens: (u32, u32),
    dice: Stream,
}

/// A turn that follows.
#[derive(Clone, Debug)]
pub struct Next {
    /// Nanoseconds after the answer before it.
    pub after_ns: u64,
    /// Prompt and answer.
    pub tokens: (u32, u32),
    /// Where the session is then.
    pub turn: Turn,
}

impl Conversation {
    /// Sessions of a valid law; `tokens` are the laws of a first prompt and of an answer.
    pub fn new(law: &SessionLaw, tokens: Option<(&Distribution, &Distribution)>, seed: u64) -> Self {
        let tokens =
            tokens.map(|(prompt, output)| (law.new_tokens.as_ref().unwrap_or(prompt).sampler(), output.sampler()));
        Self { turns: law.turns.sampler(), think_time: law.think_time.sampler(), tokens, seed }
    }

    /// Session number `number` begins with a turn of these tokens.
    pub fn begin(&self, number: u64, tokens: (u32, u32)) -> Turn {
        let mut dice = Stream::new(self.seed, Purpose::Sessions, number);
        let turns = (self.turns.sample(&mut dice) + 0.5) as u32;
        Turn { left: turns.saturating_sub(1), tokens, dice }
    }

    /// What follows on the answer to `turn`; nothing after the last.
    pub fn next(&self, turn: &Turn) -> Option<Next> {
        let mut turn = turn.clone();
        turn.left = turn.left.checked_sub(1)?;
        let after_ns = (self.think_time.sample(&mut turn.dice) * 1e9 + 0.5) as u64;
        if let Some((new, output)) = &self.tokens {
            let mut whole = |sampler: &Sampler| ((sampler.sample(&mut turn.dice) + 0.5) as u32).max(1);
            let said = turn.tokens.0.saturating_add(turn.tokens.1);
            turn.tokens = (said.saturating_add(whole(new)), whole(output));
        }
        Some(Next { after_ns, tokens: turn.tokens, turn })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_carries_all_that_was_said_and_the_last_is_followed_by_none() {
        let law = SessionLaw {
            turns: Distribution::Constant(3.0),
            think_time: Distribution::Constant(2.5),
            new_tokens: Some(Distribution::Constant(40.0)),
        };
        law.validate().unwrap();
        let tokens = (Distribution::Constant(1_000.0), Distribution::Constant(200.0));
        let sessions = Conversation::new(&law, Some((&tokens.0, &tokens.1)), 1);
        let second = sessions.next(&sessions.begin(0, (1_000, 200))).unwrap();
        assert_eq!((second.after_ns, second.tokens), (2_500_000_000, (1_240, 200)));
        let third = sessions.next(&second.turn).unwrap();
        assert_eq!(third.tokens, (1_480, 200));
        assert!(sessions.next(&third.turn).is_none());
    }

    #[test]
    fn a_session_has_its_own_numbers() {
        let law = SessionLaw {
            turns: Distribution::Constant(9.0),
            think_time: Distribution::Exponential { mean: 3.0 },
            new_tokens: None,
        };
        let sessions = Conversation::new(&law, None, 1);
        let pause = |number| sessions.next(&sessions.begin(number, (1, 1))).unwrap().after_ns;
        let first = pause(7);
        assert_eq!(first, pause(7));
        assert_ne!(first, pause(8));
    }
}
