//! When parts of the pipeline do not work.

use exporters::Exporter;
use units::SimTime;

use crate::spec::{Outage, OutageSpec, SimulationSpec};

/// All outages of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Outages(pub Vec<OutageSpec>);

impl Outages {
    /// Those of `spec`, on the clock that its prehistory begins.
    pub fn of(spec: &SimulationSpec) -> Self {
        let later = |outage: &OutageSpec| OutageSpec { at: outage.at + spec.prehistory.length, ..*outage };
        Self(spec.metrics.outages.iter().map(later).collect())
    }

    fn any(&self, now: SimTime, is_meant: impl Fn(Outage) -> bool) -> bool {
        self.0.iter().any(|outage| is_meant(outage.of) && now >= outage.at && now.since(outage.at) < outage.length)
    }

    /// Whether Prometheus does not work.
    pub fn prometheus(&self, now: SimTime) -> bool {
        self.any(now, |of| of == Outage::Prometheus)
    }

    /// Whether prometheus-adapter does not answer.
    pub fn adapter(&self, now: SimTime) -> bool {
        self.any(now, |of| of == Outage::Adapter)
    }

    /// Whether scrapes of this exporter fail.
    pub fn exporter(&self, exporter: Exporter, now: SimTime) -> bool {
        self.any(now, |of| match of {
            Outage::Exporter(None) => true,
            Outage::Exporter(Some(meant)) => meant == exporter,
            Outage::Prometheus | Outage::Adapter => false,
        })
    }
}
