//! What the user's manifests hold.

use std::path::{Path, PathBuf};

use scenario::{Autoscaler, Candidate, Input, Survey};

use crate::args::Init;
use crate::failure::{Failure, OrInput, Result};
use crate::inputs::{STANDARD_INPUT, input};

/// Where standard input is kept in the new folder.
const COPY_OF_INPUT: &str = "manifests/stdin.yaml";

/// A file of the new folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A copy of this one.
    File(PathBuf),
    /// This text.
    Text(String),
}

impl Content {
    /// The text, if it can be read.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::File(path) => std::fs::read_to_string(path).ok(),
            Self::Text(text) => Some(text.clone()),
        }
    }
}

/// What was found, for one service.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What the manifests are read from.
    pub inputs: Vec<Input>,
    /// Whether kustomize's patches are left out.
    pub is_plain: bool,
    /// What is read as if it were not there.
    pub ignored: Vec<String>,
    /// Name and content of the copy of each file.
    pub files: Vec<(String, Content)>,
    /// The workload to scale, if there is one.
    pub chosen: Option<Candidate>,
    /// What the scenario must call it; `None` if it is the only one there.
    pub workload_key: Option<String>,
    /// Name of the service: the workload's, or what the autoscalers call their target.
    pub service: String,
    /// Replicas of the workload.
    pub replicas: u64,
    /// HorizontalPodAutoscalers of the service.
    pub hpas: Vec<String>,
    /// ScaledObjects of the service.
    pub scaled_objects: Vec<String>,
    /// Names of NodePools and Provisioners.
    pub pools: Vec<String>,
    /// True if there is a ComputeClass that makes node pools.
    pub has_classes: bool,
    /// The model that is served, where the user says it.
    pub model: Option<String>,
    /// What the user should know.
    pub notes: Vec<String>,
}

impl Found {
    /// Reads files, folders and standard input as `kubectl apply -R -f` does: one for each service, of which there is at least one. What is
    /// to be said of all is with the first.
    pub fn read(args: &Init) -> Result<Vec<Self>> {
        let mut found = Self {
            replicas: 1,
            service: "inference".to_owned(),
            is_plain: args.making.reading.plain,
            ignored: args.ignore.clone(),
            model: args.making.model.clone(),
            ..Self::default()
        };
        if args.manifests.is_empty() {
            return Ok(vec![found]);
        }
        found.inputs = args.manifests.iter().map(|path| input(path)).collect::<Result<_>>()?;
        let survey = Survey::read(&found.inputs, found.is_plain, &found.ignored).or_input()?;
        if let Some(source) = &survey.scenario {
            let reason = "holds a Scenario already; run it, or give the manifests without it";
            return Err(Failure::input(format!("{source}: {reason}")));
        }
        for source in &survey.sources {
            found.copy(source, &args.manifests);
        }
        found.pools.clone_from(&survey.pools);
        found.has_classes = survey.has_classes;
        let positions = positions(&survey, args)?;
        if positions.len() > 1 {
            if args.making.model.is_some() {
                let reason = "is the model of one service, and there are several: --workload takes one";
                return Err(Failure::input(format!("--model: {reason}")));
            }
            return Ok(found.each(&survey, &positions));
        }
        let position = found.choose(&survey, positions.first().copied(), !args.workload.is_empty())?;
        found.autoscalers(&survey, position);
        found.refuse_own_scaler(!args.workload.is_empty())?;
        Ok(vec![found])
    }

    /// Several services on the same nodes.
    fn each(mut self, survey: &Survey, positions: &[usize]) -> Vec<Self> {
        let title = |position: usize| key_of(&survey.candidates[position], survey);
        let others: Vec<String> =
            (0..survey.candidates.len()).filter(|other| !positions.contains(other)).map(title).collect();
        let left_out = if others.is_empty() { String::new() } else { format!("; left out: {}", others.join(", ")) };
        self.notes.push(format!(
            "each is a service with traffic of its own, on the same nodes: {}{left_out}; --workload takes one or some",
            positions.iter().map(|&position| title(position)).collect::<Vec<_>>().join(", ")
        ));
        for scaler in &survey.autoscalers {
            if scaler.candidate.is_none_or(|candidate| !positions.contains(&candidate)) {
                self.notes.push(no_policy(scaler, survey, |target| format!("scales {target}, which is no service")));
            }
        }
        let mut all: Vec<Self> = Vec::with_capacity(positions.len());
        for &position in positions {
            let mut found = if all.is_empty() { self.clone() } else { Self { notes: Vec::new(), ..self.clone() } };
            found.take(survey, position);
            found.service = free_name(&found.service, &all);
            all.push(found);
        }
        all
    }

    /// One of several services: its workload and what scales it.
    fn take(&mut self, survey: &Survey, position: usize) {
        let chosen = &survey.candidates[position];
        self.service.clone_from(&chosen.name);
        self.replicas = chosen.replicas;
        self.workload_key = Some(key_of(chosen, survey));
        let ours = survey.autoscalers.iter().filter(|scaler| scaler.candidate == Some(position));
        let titles: Vec<&str> = ours.clone().map(|scaler| scaler.title.as_str()).collect();
        for scaler in ours {
            let list = if scaler.is_keda { &mut self.scaled_objects } else { &mut self.hpas };
            list.push(scaler.name.clone());
        }
        if titles.len() > 1 {
            self.notes.push(format!(
                "{} scale the same workload, which a cluster refuses or where they fight: the policies have the first HorizontalPodAutoscaler \
                 or else the first ScaledObject",
                titles.join(" and ")
            ));
        }
        if let (Some(lost), true) = (&chosen.own_scaler, titles.is_empty()) {
            self.notes.push(format!("{}: {lost}; its number of replicas is fixed here", chosen.title));
        }
        self.chosen = Some(chosen.clone());
    }

    /// Accelerators of a replica.
    pub fn accelerators(&self) -> u64 {
        let chosen = self.chosen.as_ref();
        chosen.and_then(|one| Some((one.accelerator.as_ref()?.1 * f64::from(one.pods)).ceil() as u64)).unwrap_or(0)
    }

    /// A file under a name of its own: as it lies in the folder that was given, so that files stay in the order they are read in.
    fn copy(&mut self, source: &str, given: &[PathBuf]) {
        if source == STANDARD_INPUT {
            let text = self.inputs.iter().find_map(|input| match input {
                Input::Text { text, .. } => Some(text.clone()),
                Input::Path(_) => None,
            });
            self.files.push((COPY_OF_INPUT.to_owned(), Content::Text(text.unwrap_or_default())));
            return;
        }
        let path = PathBuf::from(source);
        let below =
            given.iter().find_map(|folder| path.strip_prefix(folder).ok()).filter(|rest| rest.file_name().is_some());
        let plain = below.map_or_else(|| super::super::data_files::file_name(&path), |rest| rest.display().to_string());
        let is_taken = |name: &str| name == "scenario.yaml" || self.files.iter().any(|(known, _)| known == name);
        let name = if is_taken(&plain) {
            // One more name than there are files: one of them is free.
            let numbered = (2..=self.files.len() + 3).map(|number| format!("{number}-{}", plain.replace('/', "-")));
            numbered.into_iter().find(|name| !is_taken(name)).unwrap_or(plain)
        } else {
            plain
        };
        // Only these endings are read when the folder is.
        let is_read =
            Path::new(&name).extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        let name = if is_read { name } else { format!("{name}.yaml") };
        self.files.push((name, Content::File(path)));
    }

    /// Takes the workload at this position among the candidates; the position again.
    fn choose(&mut self, survey: &Survey, position: Option<usize>, is_asked_for: bool) -> Result<Option<usize>> {
        let candidates = &survey.candidates;
        let Some(position) = position else {
            // The pod is a guess; what the autoscalers call their target is not.
            if let Some(scaler) = survey.autoscalers.iter().find(|scaler| !scaler.target.is_empty()) {
                self.service.clone_from(&scaler.target);
                self.notes.push(format!(
                    "{} scales {}, which is not among the manifests: the pod is a guess, see `service.pod`",
                    scaler.title, scaler.target
                ));
            } else if let Some(place) = &survey.jobs {
                return Err(Failure::input(format!(
                    "{place}: jobs are not a service, and there is no other workload among the manifests; a ScaledObject on the same queue \
                     with a Deployment would be one"
                )));
            } else if !survey.kinds.is_empty() {
                let kinds = survey.kinds.join(", ");
                self.notes
                    .push(format!("no workload among the manifests ({kinds}): the pod is a guess, see `service.pod`"));
            }
            return Ok(None);
        };
        let chosen = &candidates[position];
        self.service.clone_from(&chosen.name);
        self.replicas = chosen.replicas;
        self.workload_key = (candidates.len() > 1).then(|| key_of(chosen, survey));
        if candidates.len() > 1 {
            let others: Vec<&str> = candidates
                .iter()
                .filter(|other| !std::ptr::eq(*other, chosen))
                .map(|other| other.title.as_str())
                .collect();
            let reason = if is_asked_for { "as asked for".to_owned() } else { reason(chosen) };
            let (title, others) = (&chosen.title, others.join(", "));
            self.notes.push(format!("the service is {title} ({reason}); left out: {others}; --workload takes another"));
        }
        self.chosen = Some(chosen.clone());
        Ok(Some(position))
    }

    fn autoscalers(&mut self, survey: &Survey, position: Option<usize>) {
        for scaler in &survey.autoscalers {
            let is_ours = match position {
                Some(_) => scaler.candidate == position,
                None => scaler.target == self.service,
            };
            if !is_ours {
                let note = no_policy(scaler, survey, |target| format!("scales {target}, not {}", self.service));
                self.notes.push(note);
            } else if scaler.is_keda {
                self.scaled_objects.push(scaler.name.clone());
            } else {
                self.hpas.push(scaler.name.clone());
            }
        }
        if self.hpas.len() + self.scaled_objects.len() > 1 {
            let hpas = self.hpas.iter().map(|name| format!("HorizontalPodAutoscaler/{name}"));
            let all: Vec<String> =
                hpas.chain(self.scaled_objects.iter().map(|name| format!("ScaledObject/{name}"))).collect();
            self.notes.push(format!(
                "{} scale the same workload, which a cluster refuses or where they fight: each became a policy of its own",
                all.join(" and ")
            ));
        }
    }

    /// A workload that scales itself by rules that are not modelled has no policy left: a scenario of it would compare nothing.
    fn refuse_own_scaler(&self, is_asked_for: bool) -> Result<()> {
        let Some(chosen) = &self.chosen else { return Ok(()) };
        let has_policy = !self.hpas.is_empty() || !self.scaled_objects.is_empty();
        match &chosen.own_scaler {
            Some(lost) if !has_policy && !is_asked_for => Err(Failure::input(format!(
                "{}: {lost}; a HorizontalPodAutoscaler or ScaledObject of it would be replayed, and `--workload {}` takes it with a fixed \
                 number of replicas",
                chosen.place, chosen.title
            ))),
            _ => Ok(()),
        }
    }
}

/// Why an autoscaler of the folder became no policy.
fn no_policy(scaler: &Autoscaler, survey: &Survey, what: impl Fn(&str) -> String) -> String {
    let target = if scaler.target.is_empty() { "nothing" } else { &scaler.target };
    if let Some(why) = &scaler.miss {
        return format!("{why}: it became no policy");
    }
    let names = survey.candidates.iter().map(|candidate| candidate.name.as_str());
    let near = names::nearest(&scaler.target, names).filter(|_| scaler.candidate.is_none());
    let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
    format!("{}: {} {}: it became no policy{hint}", scaler.place, scaler.title, what(target))
}

/// What the scenario calls a workload that is not the only one.
fn key_of(chosen: &Candidate, survey: &Survey) -> String {
    let is_ambiguous = survey.candidates.iter().filter(|other| other.title == chosen.title).count() > 1;
    if is_ambiguous { chosen.full_name() } else { chosen.title.clone() }
}

/// Positions of the workloads that are services: those asked for; else all with accelerators. The likeliest alone if none has one, or if
/// there is a file of traffic, which is that of one service.
fn positions(survey: &Survey, args: &Init) -> Result<Vec<usize>> {
    if args.workload.is_empty() {
        let candidates = survey.candidates.iter().enumerate();
        let with_accelerators: Vec<usize> =
            candidates.filter(|(_, one)| one.accelerator.is_some()).map(|(position, _)| position).collect();
        let is_several = with_accelerators.len() > 1 && args.traffic.is_none();
        return Ok(if is_several { with_accelerators } else { (0..survey.candidates.len().min(1)).collect() });
    }
    if let (Some(file), true) = (&args.traffic, args.workload.len() > 1) {
        let reason = "is the traffic of one service, and several `--workload` are given";
        return Err(Failure::input(format!("--traffic {}: {reason}", file.display())));
    }
    let mut positions = Vec::with_capacity(args.workload.len());
    for name in &args.workload {
        let position = named_candidate(survey, name)?;
        if positions.contains(&position) {
            return Err(Failure::input(format!("--workload {name}: is a service already, by another `--workload`")));
        }
        positions.push(position);
    }
    Ok(positions)
}

/// A name of a service that none has yet, in letters that such names may have.
fn free_name(name: &str, taken: &[Found]) -> String {
    let plain: String = name.chars().map(|letter| if letter == '.' { '-' } else { letter }).collect();
    let numbered = (2..=taken.len() + 2).map(|number| format!("{plain}-{number}"));
    let mut names = std::iter::once(plain.clone()).chain(numbered);
    names.find(|name| taken.iter().all(|found| found.service != *name)).unwrap_or(plain)
}

fn named_candidate(survey: &Survey, name: &str) -> Result<usize> {
    let candidates = &survey.candidates;
    let found: Vec<usize> = (0..candidates.len()).filter(|index| candidates[*index].is_called(name)).collect();
    match found[..] {
        [only] => Ok(only),
        [] => {
            let titles: Vec<&str> = candidates.iter().map(|candidate| candidate.title.as_str()).collect();
            let names = candidates.iter().flat_map(|candidate| [candidate.name.as_str(), candidate.title.as_str()]);
            let hint = names::nearest(name, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            let titles =
                if titles.is_empty() { "there is none".to_owned() } else { format!("one of: {}", titles.join(", ")) };
            Err(Failure::input(format!("--workload {name}: no such workload{hint} ({titles})")))
        }
        _ => {
            let names: Vec<String> = found.iter().map(|index| candidates[*index].full_name()).collect();
            Err(Failure::input(format!("--workload {name}: may be {}", names.join(" or "))))
        }
    }
}

/// Why a workload is the likeliest.
fn reason(chosen: &Candidate) -> String {
    let mut reasons = Vec::new();
    if let Some((resource, _)) = &chosen.accelerator {
        reasons.push(format!("asks for {resource}"));
    }
    if let Some(engine) = chosen.engine {
        reasons.push(format!("runs {}", engine.title()));
    }
    if chosen.is_scaled {
        reasons.push("has an autoscaler".to_owned());
    }
    if reasons.is_empty() { "the first by replicas and name".to_owned() } else { reasons.join(", ") }
}
