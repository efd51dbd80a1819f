//! Probes and how long a start takes: whether a container is killed before it answers.

use cluster::spec::{ColdStartSpec, LinkSpec, PhaseSpec, PodSpec, Probe};
use units::SimDuration;
use workload::{Distribution, Purpose, Stream};

use crate::error::ScenarioError;
use crate::manifest::ReadProbes;
use crate::tree::Node;

use super::Context;

/// Starts that are drawn to tell how many are killed.
const STARTS: usize = 4_000;
/// Seed of these draws; they have nothing to do with a run's.
const SEED: u64 = 0x5eed;
/// Kills rarer than this are not worth a note.
const WORTH_SAYING: f64 = 0.01;

impl Context<'_> {
    /// Puts the probes of a template into `pod`.
    pub(super) fn read_probes(&mut self, pod: &mut PodSpec, template: &Node) -> Result<(), ScenarioError> {
        let read = ReadProbes::read(template, &pod.gpu_resource)?;
        if !read.has_readiness && read.probes.startup.is_none() {
            self.notes.push(
                "no readinessProbe: in a cluster the pod counts as ready, and gets requests, as soon as its container runs; the model takes \
                 it as ready once it is loaded"
                    .to_owned(),
            );
        }
        self.notes.extend(read.notes);
        pod.probes = read.probes;
        Ok(())
    }

    /// Says how many starts the startup or liveness probe will cut short.
    pub(super) fn note_kills(&mut self, pod: &PodSpec, cold: &ColdStartSpec, links: &[LinkSpec]) {
        let Some(probe) = pod.probes.killer() else { return };
        let name = if pod.probes.startup.is_some() { "startupProbe" } else { "livenessProbe, without a startupProbe," };
        let mut starts = starts(pod, cold, links);
        let mut dice = Stream::new(SEED, Purpose::Phase, 0);
        let killed = starts.iter().filter(|length| **length > killed_after(probe, dice.uniform())).count();
        let share = killed as f64 / starts.len() as f64;
        if share < WORTH_SAYING {
            return;
        }
        starts.sort_by(f64::total_cmp);
        let seconds = |share: f64| starts[((starts.len() - 1) as f64 * share) as usize].round();
        let (window, middle, late) = (probe.window().as_secs(), seconds(0.5), seconds(0.95));
        let lasts = pod.probes.keeps_download && !pod.probes.downloads_first;
        let fate = match share {
            share if share < 0.999 => format!("{:.0} % of starts are killed", share * 100.0),
            _ if lasts => "every first start is killed, a later one finds what was downloaded".to_owned(),
            _ => "no start succeeds".to_owned(),
        };
        self.notes
            .push(format!("the {name} allows {window} s, the load takes {middle} s (95 % within {late} s): {fate}"));
    }
}

/// Lengths in seconds from the start of a container to its first answer, with nothing cached.
fn starts(pod: &PodSpec, cold: &ColdStartSpec, links: &[LinkSpec]) -> Vec<f64> {
    let mut dice = Stream::new(SEED, Purpose::ColdStart, 0);
    let everywhere = cold.restore.as_ref().filter(|restore| restore.everywhere);
    let start = |dice: &mut Stream| {
        if let Some(restore) = everywhere {
            return length(&restore.length, links, dice);
        }
        let [download, load, warm_up] =
            [&cold.model_download, &cold.gpu_load, &cold.cuda_warm_up].map(|phase| length(phase, links, dice));
        let loaded = match (pod.probes.downloads_first, cold.streaming_load) {
            (true, _) => load,
            (false, true) => download.max(load),
            (false, false) => download + load,
        };
        loaded + warm_up
    };
    (0..STARTS).map(|_| start(&mut dice)).collect()
}

/// A phase alone on its links.
fn length(phase: &PhaseSpec, links: &[LinkSpec], dice: &mut Stream) -> f64 {
    let drawn = |distribution: &Distribution, dice: &mut Stream| distribution.sample(dice).max(0.0);
    match phase {
        PhaseSpec::Time(time) => drawn(time, dice),
        PhaseSpec::Transfer { bytes, links: over, fixed } => {
            let slowest = over.iter().map(|&link| links[link].bytes_per_second).fold(f64::INFINITY, f64::min);
            bytes.0 as f64 / slowest + drawn(fixed, dice)
        }
    }
}

fn killed_after(probe: &Probe, share: f64) -> f64 {
    probe.killed_after(SimDuration::from_secs_f64(share * probe.period.as_secs_f64())).as_secs_f64()
}
