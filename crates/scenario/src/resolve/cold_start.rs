//! Cold starts of each service, and the links and the cache of the nodes that they share.

use calibrate::ColdStartPreset;
use cluster::spec::{
    ArtifactSpec, CacheSpec, ColdStartSpec, LinkSpec, PhaseSpec, RestoreSpec, ServiceModel, WeightsSpec,
};
use units::{Bytes, SimDuration, SimTime};
use workload::Distribution as Drawn;

use crate::error::ScenarioError;
use crate::file::{ArtifactFile, CacheFile, ColdStartFile, PhaseChoice, PhaseFile, RestorePlace, ServiceView, TextOr};

use super::Context;

const SECOND: SimDuration = SimDuration::from_secs(1);

impl Context<'_> {
    /// The links of all services, those of one name once.
    pub(super) fn links(&mut self, views: &[ServiceView]) -> Result<Vec<LinkSpec>, ScenarioError> {
        let mut links: Vec<(LinkSpec, usize)> = Vec::new();
        for (number, view) in views.iter().enumerate() {
            self.turn_to(number);
            for (index, file) in view.cold_start.links.iter().enumerate() {
                let (name, per_node) = (file.name.clone(), file.per_node);
                let link = LinkSpec { name, bytes_per_second: file.bandwidth.0, per_node };
                let twin = links.iter().find(|(known, owner)| known.name == link.name && *owner != number);
                let Some((known, owner)) = twin else {
                    links.push((link, number));
                    continue;
                };
                if known.bytes_per_second.to_bits() != link.bytes_per_second.to_bits()
                    || known.per_node != link.per_node
                {
                    let other = views[*owner].name.as_deref().unwrap_or_default();
                    let reason =
                        format!("`{}` is another link than that of service `{other}`; both share it", link.name);
                    return Err(self.inconsistent(&format!("spec.coldStart.links[{index}]"), &reason));
                }
            }
        }
        self.turn_to_all();
        Ok(links.into_iter().map(|(link, _)| link).collect())
    }

    /// The cache of each node, which all services that speak of it share.
    pub(super) fn node_cache(&mut self, views: &[ServiceView]) -> Result<Option<CacheSpec>, ScenarioError> {
        let mut shared: Option<(CacheSpec, usize)> = None;
        for (number, view) in views.iter().enumerate() {
            self.turn_to(number);
            let Some(file) = &view.cold_start.model_cache else { continue };
            let cache = self.cache(file)?;
            let Some((known, owner)) = &mut shared else {
                shared = Some((cache, number));
                continue;
            };
            let other = views[*owner].name.as_deref().unwrap_or_default();
            let differs = |key: &str| {
                let reason = format!("`{key}` is another than service `{other}` has; it is one cache that they share");
                Err(self.inconsistent(&format!("spec.coldStart.modelCache.{key}"), &reason))
            };
            if known.size != cache.size {
                return differs("size");
            }
            if known.sync_period != cache.sync_period {
                return differs("syncPeriod");
            }
            for artifact in cache.others {
                match known.others.iter().find(|twin| twin.name == artifact.name) {
                    None => known.others.push(artifact),
                    Some(twin) if twin.bytes == artifact.bytes && twin.gap == artifact.gap => {}
                    Some(_) => return differs("others"),
                }
            }
        }
        Ok(shared.map(|(cache, _)| cache))
    }

    /// What a new pod of the service goes through.
    pub(super) fn cold_start(
        &mut self,
        file: &ColdStartFile,
        links: &[LinkSpec],
    ) -> Result<ColdStartSpec, ScenarioError> {
        let preset = file.preset.as_deref().map(|name| self.preset(name)).transpose()?;
        let phase = |phase: &Option<PhaseFile>, key: &str| match phase {
            Some(phase) => self.phase(phase, links, &format!("spec.coldStart.{key}")),
            None => Ok(PhaseSpec::Time(usual(preset, key))),
        };
        let cold_start = ColdStartSpec {
            image_pull: phase(&file.image_pull, "imagePull")?,
            model_download: phase(&file.model_download, "modelDownload")?,
            gpu_load: phase(&file.gpu_load, "gpuLoad")?,
            cuda_warm_up: phase(&file.cuda_warm_up, "cudaWarmUp")?,
            streaming_load: file.streaming_load,
            image_pre_pulled: file.image_pre_pulled,
            weights: file.model_cache.as_ref().map(|cache| self.weights(cache)).transpose()?,
            restore: self.restore(file, preset, links)?,
        };
        self.notes.extend(preset.map(preset_note));
        Ok(cold_start)
    }

    /// What the first iteration of a new process takes longer.
    pub(super) fn first_iteration(
        &self,
        file: &ColdStartFile,
        model: &ServiceModel,
    ) -> Result<Option<Drawn>, ScenarioError> {
        let path = "spec.coldStart.firstIteration";
        let Some(first) = &file.first_iteration else { return Ok(None) };
        if !matches!(model, ServiceModel::ContinuousBatching { .. }) {
            return Err(self.inconsistent(path, "only `continuousBatching` has iterations"));
        }
        self.distribution(first, path).map(Some)
    }

    fn weights(&self, file: &CacheFile) -> Result<WeightsSpec, ScenarioError> {
        if file.releases.windows(2).any(|pair| pair[1].0 <= pair[0].0) {
            return Err(self.inconsistent("spec.coldStart.modelCache.releases", "times must ascend"));
        }
        Ok(WeightsSpec {
            bytes: Bytes(file.model.0),
            releases: file.releases.iter().map(|time| SimTime::ZERO + time.duration()).collect(),
        })
    }

    fn cache(&self, file: &CacheFile) -> Result<CacheSpec, ScenarioError> {
        let path = "spec.coldStart.modelCache";
        let other = |(index, artifact): (usize, &ArtifactFile)| {
            if file.others[..index].iter().any(|earlier| earlier.name == artifact.name) {
                let reason = format!("two artifacts are called `{}`", artifact.name);
                return Err(self.inconsistent(&format!("{path}.others[{index}].name"), &reason));
            }
            let gap = self.distribution(&artifact.every, &format!("{path}.others[{index}].every"))?;
            Ok(ArtifactSpec { name: artifact.name.clone(), bytes: Bytes(artifact.size.0), gap })
        };
        Ok(CacheSpec {
            size: Bytes(file.size.0),
            sync_period: file
                .sync_period
                .map(|period| self.at_least(period, SECOND, &format!("{path}.syncPeriod")))
                .transpose()?,
            others: file.others.iter().enumerate().map(other).collect::<Result<_, _>>()?,
        })
    }

    /// As written, else as the preset has it: on nodes where a pod has been warm.
    fn restore(
        &self,
        file: &ColdStartFile,
        preset: Option<&ColdStartPreset>,
        links: &[LinkSpec],
    ) -> Result<Option<RestoreSpec>, ScenarioError> {
        let Some(restore) = &file.restore else {
            let measured = preset.and_then(|preset| preset.restore.as_ref());
            return Ok(
                measured.map(|phase| RestoreSpec { length: PhaseSpec::Time(phase.distribution()), everywhere: false })
            );
        };
        Ok(Some(RestoreSpec {
            length: self.phase(&restore.length, links, "spec.coldStart.restore.length")?,
            everywhere: restore.on == RestorePlace::EveryNode,
        }))
    }

    fn preset(&self, name: &str) -> Result<&'static ColdStartPreset, ScenarioError> {
        calibrate::preset(name).ok_or_else(|| {
            let known = calibrate::presets().iter().map(|preset| preset.name);
            self.unknown_name("spec.coldStart.preset", "preset", name, known)
        })
    }

    fn phase(&self, phase: &PhaseFile, links: &[LinkSpec], path: &str) -> Result<PhaseSpec, ScenarioError> {
        match phase {
            TextOr::Amount(time) => Ok(PhaseSpec::Time(Drawn::Constant(time.0))),
            TextOr::Choice(PhaseChoice::Transfer { size, links: names, fixed }) => {
                let path = format!("{path}.transfer.links");
                if names.is_empty() {
                    return Err(self.inconsistent(&path, "at least one link is needed"));
                }
                let index = |name: &String| {
                    links.iter().position(|link| &link.name == name).ok_or_else(|| {
                        let known = links.iter().map(|link| link.name.as_str());
                        self.unknown_name(&path, "link under `coldStart.links`", name, known)
                    })
                };
                Ok(PhaseSpec::Transfer {
                    bytes: Bytes(size.0),
                    links: names.iter().map(index).collect::<Result<_, _>>()?,
                    fixed: match fixed {
                        Some(fixed) => self.distribution(fixed, &path)?,
                        None => Drawn::Constant(0.0),
                    },
                })
            }
            TextOr::Choice(choice) => {
                let choice = choice.distribution().expect("all choices but a transfer are distributions");
                self.distribution(&TextOr::Choice(choice), path).map(PhaseSpec::Time)
            }
        }
    }
}

/// How long a phase takes that nobody wrote: as the preset says, where there is one (a phase it leaves out takes no time), else within the
/// ranges the article gives for a 2–5 minute cold start.
fn usual(preset: Option<&ColdStartPreset>, key: &str) -> Drawn {
    if let Some(preset) = preset {
        let phase = preset.phases().into_iter().find(|phase| phase.0 == key).and_then(|phase| phase.1);
        return phase.map_or(Drawn::Constant(0.0), calibrate::PresetPhase::distribution);
    }
    let (low, high) = match key {
        "imagePull" => (30.0, 60.0),
        "modelDownload" => (60.0, 180.0),
        "gpuLoad" => (10.0, 30.0),
        _ => (5.0, 15.0),
    };
    Drawn::Uniform { low, high }
}

fn preset_note(preset: &ColdStartPreset) -> String {
    format!(
        "cold start `{}`: {}; sources with `scalelab calibrate preset {}`",
        preset.name, preset.description, preset.name
    )
}
