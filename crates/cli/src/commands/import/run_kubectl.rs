//! Runs kubectl: two verbs, `api-resources` and `get`, neither of which changes anything.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::args::ClusterArgs;
use crate::failure::{Failure, Result};

/// Resources whose objects a scenario is made of, as `kubectl api-resources -o name` calls them. Values of ConfigMaps are the user's to offer
/// (`--also`); Secrets nobody's.
const OBJECTS: &[&str] = &[
    // Workloads, and what operators make workloads of.
    "deployments.apps",
    "statefulsets.apps",
    "daemonsets.apps",
    "rollouts.argoproj.io",
    "clonesets.apps.kruise.io",
    "statefulsets.apps.kruise.io",
    "deploymentconfigs.apps.openshift.io",
    "leaderworkersets.leaderworkerset.x-k8s.io",
    "inferenceservices.serving.kserve.io",
    "servingruntimes.serving.kserve.io",
    "clusterservingruntimes.serving.kserve.io",
    "llminferenceservices.serving.kserve.io",
    "llminferenceserviceconfigs.serving.kserve.io",
    "nimservices.apps.nvidia.com",
    "nimpipelines.apps.nvidia.com",
    "workspaces.kaito.sh",
    "inferencesets.kaito.sh",
    "models.kubeai.org",
    "rayservices.ray.io",
    "services.serving.knative.dev",
    "dynamographdeployments.nvidia.com",
    "dynamographdeploymentscalingadapters.nvidia.com",
    "inferenceendpointconfigs.inference.sagemaker.aws.amazon.com",
    "jumpstartmodels.inference.sagemaker.aws.amazon.com",
    // What scales them, also where it is not modelled: that is said then.
    "horizontalpodautoscalers.autoscaling",
    "scaledobjects.keda.sh",
    "httpscaledobjects.http.keda.sh",
    "interceptorroutes.http.keda.sh",
    "verticalpodautoscalers.autoscaling.k8s.io",
    "multidimpodautoscalers.autoscaling.gke.io",
    "autoscalingmetrics.autoscaling.gke.io",
    "podautoscalers.autoscaling.aibrix.ai",
    "watermarkpodautoscalers.datadoghq.com",
    "datadogpodautoscalers.datadoghq.com",
    // Nodes.
    "nodepools.karpenter.sh",
    "provisioners.karpenter.sh",
    "nodeoverlays.karpenter.sh",
    "ec2nodeclasses.karpenter.k8s.aws",
    "computeclasses.cloud.google.com",
    "capacitybuffers.autoscaling.x-k8s.io",
    // Scheduling, quotas, disruption.
    "poddisruptionbudgets.policy",
    "priorityclasses.scheduling.k8s.io",
    "runtimeclasses.node.k8s.io",
    "resourceclaimtemplates.resource.k8s.io",
    "deviceclasses.resource.k8s.io",
    "limitranges",
    "resourcequotas",
    // Monitoring.
    "services",
    "servicemonitors.monitoring.coreos.com",
    "podmonitors.monitoring.coreos.com",
    "prometheusrules.monitoring.coreos.com",
    "podmonitorings.monitoring.googleapis.com",
    "clusterpodmonitorings.monitoring.googleapis.com",
    "rules.monitoring.googleapis.com",
    "clusterrules.monitoring.googleapis.com",
    "vmservicescrapes.operator.victoriametrics.com",
    "vmpodscrapes.operator.victoriametrics.com",
    "vmrules.operator.victoriametrics.com",
];
/// Resources that say what was.
const MEASURED: [&str; 3] = ["pods", "events", "nodes"];
/// The most one answer may weigh.
const ANSWER_MAX: u64 = 512 << 20;
/// How often a running kubectl is looked at.
const PAUSE: Duration = Duration::from_millis(10);

/// What one kubectl said.
struct Said {
    is_good: bool,
    out: Vec<u8>,
    errors: String,
}

/// All objects that the cluster shows of what is read, pods, events and nodes among them. What may not be read is told and left out.
pub fn items(args: &ClusterArgs) -> Result<Vec<Value>> {
    let wanted = wanted(args)?;
    let known = resources(args)?;
    let absent: Vec<&str> = args.also.iter().map(String::as_str).filter(|name| !known.contains(*name)).collect();
    if let Some(name) = absent.first() {
        let near = names::nearest(name, known.iter().map(String::as_str));
        let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let reason =
            "the cluster has no such resource that can be listed (`kubectl api-resources --verbs=list -o name`)";
        return Err(Failure::input(format!("--also {name}: {reason}{near}")));
    }
    let mut items = Vec::new();
    for resource in wanted.into_iter().filter(|name| known.contains(*name)) {
        items.extend(list(args, resource)?);
    }
    Ok(items)
}

/// Names of what is asked for, each once.
fn wanted(args: &ClusterArgs) -> Result<Vec<&str>> {
    if args.also.iter().any(|name| name == "secrets" || name.starts_with("secrets.")) {
        return Err(Failure::input("--also secrets: Secrets are never read"));
    }
    let mut seen = BTreeSet::new();
    let all = OBJECTS.iter().copied().chain(MEASURED).chain(args.also.iter().map(String::as_str));
    Ok(all.filter(|name| seen.insert(*name)).collect())
}

/// What the cluster can list.
fn resources(args: &ClusterArgs) -> Result<BTreeSet<String>> {
    let said = ask(args, &["api-resources", "--verbs=list", "-o", "name"])?;
    let names: BTreeSet<String> = String::from_utf8_lossy(&said.out).split_whitespace().map(str::to_owned).collect();
    if names.is_empty() {
        return Err(failed("kubectl api-resources", &said.errors));
    }
    if !said.is_good {
        eprintln!(
            "note: kubectl does not see all APIs of the cluster, what is left out may matter: {}",
            last(&said.errors)
        );
    }
    Ok(names)
}

/// The objects of one resource; none, with a note, where they may not be read.
fn list(args: &ClusterArgs, resource: &str) -> Result<Vec<Value>> {
    let said = ask(args, &["get", resource, "-o", "json"])?;
    let command = format!("kubectl get {resource} -o json");
    if !said.is_good {
        let is_forbidden = said.errors.contains("Forbidden") || said.errors.contains("is forbidden");
        if is_forbidden {
            eprintln!("note: {resource} may not be read and are left out: {}", last(&said.errors));
            return Ok(Vec::new());
        }
        return Err(failed(&command, &said.errors));
    }
    let document: Value = serde_json::from_slice(&said.out)
        .map_err(|error| Failure::Environment(anyhow::anyhow!("{command}: what it printed is no JSON: {error}")))?;
    let items = document.get("items").and_then(Value::as_array);
    items.cloned().ok_or_else(|| Failure::Environment(anyhow::anyhow!("{command}: what it printed is no list")))
}

/// Runs one kubectl to its end, or to that of its time.
fn ask(args: &ClusterArgs, words: &[&str]) -> Result<Said> {
    let command = format!("kubectl {}", words.join(" "));
    let child = Command::new("kubectl")
        .args(words)
        .args(flags(args))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::input(
            "--run: there is no kubectl on PATH: install it, or give files of what `kubectl get … -o json` printed elsewhere",
        ),
        _ => Failure::Environment(anyhow::anyhow!("{command}: cannot be started: {error}")),
    })?;
    let (out, errors) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let is_good = wait(&mut child, args.timeout).ok_or_else(|| {
        let reason = format!(
            "gave no answer within {:?}: can the cluster be reached from here? --timeout allows more",
            args.timeout
        );
        Failure::Environment(anyhow::anyhow!("{command}: {reason}"))
    })?;
    let whole = |thread: thread::JoinHandle<Vec<u8>>| thread.join().unwrap_or_default();
    let (out, errors) = (whole(out), String::from_utf8_lossy(&whole(errors)).into_owned());
    if out.len() as u64 > ANSWER_MAX {
        let reason = format!("printed more than {} MiB", ANSWER_MAX >> 20);
        return Err(Failure::Environment(anyhow::anyhow!("{command}: {reason}; --namespace asks for less")));
    }
    Ok(Said { is_good, out, errors })
}

fn flags(args: &ClusterArgs) -> Vec<OsString> {
    let named = [
        ("--namespace", args.namespace.as_ref().map(OsString::from)),
        ("--context", args.context.as_ref().map(OsString::from)),
        ("--kubeconfig", args.kubeconfig.as_ref().map(|path| path.clone().into_os_string())),
    ];
    let given = |(flag, value): (&str, Option<OsString>)| {
        value.map(|value| {
            let mut word = OsString::from(format!("{flag}="));
            word.push(value);
            word
        })
    };
    named.into_iter().filter_map(given).collect()
}

/// Takes all that comes out, so that a program that says much does not wait for a reader.
fn reader(from: Option<impl Read + Send + 'static>) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(from) = from {
            // What was said up to a failure is what there is; the exit code tells of the failure.
            let _ = from.take(ANSWER_MAX + 1).read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Whether it ended well; `None` if it did not end in time, and is then stopped.
fn wait(child: &mut Child, within: Duration) -> Option<bool> {
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if begun.elapsed() < within => thread::sleep(PAUSE),
            _ => {
                // It may have ended this very moment.
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// A kubectl that failed: the user's to mend where it names what it was given or who asks, else the network's or the cluster's.
fn failed(command: &str, errors: &str) -> Failure {
    const INPUT: [&str; 8] = [
        "Error in configuration",
        "context was not found",
        "does not exist",
        "no such file",
        "error loading config file",
        "Unauthorized",
        "must be logged in",
        "getting credentials",
    ];
    let is_input = INPUT.iter().any(|words| errors.contains(words));
    let message = format!("{command}: {}", last(errors));
    if is_input {
        Failure::input(format!("{message} (--context, --kubeconfig, or log in)"))
    } else {
        Failure::Environment(anyhow::anyhow!("{message}"))
    }
}

/// The last line it said, which is the one for people.
fn last(errors: &str) -> &str {
    errors.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("it failed without a word")
}
