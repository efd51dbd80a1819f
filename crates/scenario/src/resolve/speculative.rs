//! Speculative decoding: how many tokens are guessed, as the scenario or the flags of the server say, and how many of them are right, which only
//! the scenario can say.

use cluster::spec::{IterationLaw, PassTime, Scheduler, ServiceModel, Speculative};

use crate::error::ScenarioError;
use crate::file::{AcceptanceFile, ContinuousBatchingFile, SpeculativeFile};
use crate::quantity::Time;
use crate::server::Drafts;

use super::Context;
use super::scheduler::PATH;

/// More guesses than any engine makes.
const TOKENS_MAX: u32 = 256;

impl Context<'_> {
    /// That of the engine; `drafts`: what the flags of the server say, and where.
    pub(super) fn speculative(
        &mut self,
        file: &ContinuousBatchingFile,
        drafts: Option<(&Drafts, &str)>,
        (model, scheduler): (&ServiceModel, &Scheduler),
    ) -> Result<Option<Speculative>, ScenarioError> {
        let Some(written) = &file.speculative else {
            if let Some((drafts, place)) = drafts {
                self.note(format!(
                    "{place}: {}: how many guesses are right is in no manifest: every iteration makes one token per sequence until \
                     `speculative.acceptance` of the scenario says; times measured with it have its gain",
                    drafts.said
                ));
            }
            return Ok(None);
        };
        let found = drafts.and_then(|(drafts, _)| drafts.tokens);
        let path = format!("{PATH}.speculative");
        let Some(tokens) = written.tokens.or(found) else {
            return Err(self.inconsistent(&path, "needs `tokens`: no flag of a server says how many are guessed"));
        };
        if !(1..=TOKENS_MAX).contains(&tokens) {
            return Err(self.inconsistent(&format!("{path}.tokens"), &format!("must be 1 to {TOKENS_MAX}")));
        }
        if let (Some(own), Some(found), Some((drafts, place))) = (written.tokens, found, drafts)
            && own != found
        {
            self.note(format!("{place}: {} guesses {found} tokens, but the {own} of the scenario count", drafts.said));
        }
        let places = drafts.and_then(|(drafts, _)| drafts.places).filter(|_| written.tokens.is_none());
        let acceptance = self.acceptance(written, (tokens, places.unwrap_or(tokens).min(tokens)))?;
        let speculative = Speculative { tokens, acceptance, draft_time: Time::duration(written.draft_time) };
        self.check_pass(&speculative, model, scheduler)?;
        self.note_drafts(&speculative, model);
        Ok(Some(speculative))
    }

    fn acceptance(&self, file: &SpeculativeFile, (tokens, places): (u32, u32)) -> Result<Vec<f64>, ScenarioError> {
        let path = format!("{PATH}.speculative.acceptance");
        let shares: Vec<f64> = match &file.acceptance {
            AcceptanceFile::Same(share) => vec![share.0; places as usize],
            AcceptanceFile::Each(shares) => shares.iter().map(|share| share.0).collect(),
        };
        if shares.is_empty() || shares.len() > tokens as usize {
            let reason = format!("needs 1 to {tokens} shares: one for each of the guesses in a row");
            return Err(self.inconsistent(&path, &reason));
        }
        if shares.iter().any(|share| !(0.0..=1.0).contains(share)) {
            return Err(self.inconsistent(&path, "must be 0% to 100%"));
        }
        Ok(shares)
    }

    /// Guesses of one sequence at least must fit into a pass; of all of them, or fewer run at once.
    fn check_pass(
        &mut self,
        speculative: &Speculative,
        model: &ServiceModel,
        scheduler: &Scheduler,
    ) -> Result<(), ScenarioError> {
        let &ServiceModel::ContinuousBatching { sequences_max, batched_tokens_max, .. } = model else { return Ok(()) };
        if scheduler.keeps_prompts_apart() {
            return Ok(());
        }
        let width = speculative.width();
        if width > batched_tokens_max {
            let reason = format!("a sequence has {width} tokens in a pass, which has {batched_tokens_max} at most");
            return Err(self.inconsistent(&format!("{PATH}.speculative.tokens"), &reason));
        }
        let most = batched_tokens_max / width;
        if most < sequences_max {
            self.note(format!(
                "speculative: {width} tokens of each sequence in a pass of {batched_tokens_max} at most: {most} sequences decode at once, not \
                 {sequences_max}"
            ));
        }
        Ok(())
    }

    fn note_drafts(&mut self, speculative: &Speculative, model: &ServiceModel) {
        let ServiceModel::ContinuousBatching { law: IterationLaw { pass, .. }, .. } = model else { return };
        let mut note = format!(
            "speculative: {:.2} tokens per sequence and iteration, of {} guessed",
            speculative.tokens_per_iteration(),
            speculative.tokens
        );
        if matches!(pass, PassTime::Linear { .. }) {
            note += "; without `tokenTime` the law does not know what checking them costs, so that many sequences gain as much as one";
        }
        self.note(note);
    }
}
