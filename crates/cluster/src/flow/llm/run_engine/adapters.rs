//! Adapters of the batch: who may join it for them, and what that does to the next iterations. They change only when somebody joins or leaves.

use super::super::engine::Job;
use super::super::iteration::Curve;
use super::RunEngine;

impl RunEngine {
    /// The law of the iterations that the batch has now.
    #[inline]
    pub(super) fn curve(&self) -> &Curve {
        let of_adapters = self.adapters.as_ref().and_then(|adapters| adapters.curve());
        of_adapters.unwrap_or(&self.limits.curve)
    }

    /// Whether the batch may have one more adapter, if a request needs that.
    #[inline]
    pub(super) fn may_run(&self, job: &Job) -> bool {
        self.adapters.as_ref().is_none_or(|adapters| adapters.may_run(job.adapter))
    }

    /// A request joins the batch.
    #[inline]
    pub(super) fn join_adapter(&mut self, job: &Job) {
        if let Some(adapters) = &mut self.adapters {
            adapters.join(job.adapter);
        }
    }

    /// A request leaves the batch.
    #[inline]
    pub(super) fn leave_adapter(&mut self, job: &Job) {
        if let Some(adapters) = &mut self.adapters {
            adapters.leave(job.adapter);
        }
    }

    /// The adapters of the batch are there from the next iteration on.
    #[inline]
    pub(super) fn bring_adapters(&mut self) {
        if let Some(adapters) = &mut self.adapters {
            self.stats.adapter_loads += adapters.bring();
        }
    }
}
