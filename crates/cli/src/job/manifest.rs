//! The documents: ConfigMap, claim, the Job of the shards and the Job that merges them.

use serde_json::{Map, Value, json};

use super::bundle::Bundle;
use super::settings::Settings;

/// Where a pod finds the sweep, and where it leaves results.
const INPUT: &str = "/scalelab/input";
const OUT: &str = "/scalelab/out";
/// User and group of the image that releases build.
const USER: u32 = 65_532;
/// Exit code of a mistake in the input, which no repetition mends.
const EXIT_INPUT: u8 = 2;
/// Seconds that a pod which is told to stop may take to write what is finished.
const GRACE_SECONDS: u32 = 60;

/// What is written.
pub struct Plan<'a> {
    /// Name of the Job, and of all else with an ending.
    pub name: &'a str,
    /// How it runs.
    pub settings: &'a Settings,
    /// The sweep's files, where a ConfigMap brings them.
    pub bundle: Option<&'a Bundle>,
    /// What holds at every point, as `--set` takes it.
    pub set: &'a [String],
    /// Whether scenarios may start programs.
    pub allows_exec: bool,
    /// Settings of all points together.
    pub point_settings: usize,
    /// Rows of the whole sweep.
    pub rows: usize,
}

/// All documents, after a few lines on how they are used.
pub fn text(plan: &Plan<'_>) -> String {
    let documents = [config_map(plan), claim(plan), Some(shards(plan)), Some(merge(plan))];
    let documents: Vec<String> = documents
        .iter()
        .flatten()
        .map(|document| serde_saphyr::to_string(document).expect("maps with text keys are always YAML"))
        .collect();
    format!("{}---\n{}", head(plan), documents.join("---\n"))
}

fn head(plan: &Plan<'_>) -> String {
    let Plan { name, settings, .. } = plan;
    let namespace = settings.namespace.as_ref().map(|name| format!(" -n {name}")).unwrap_or_default();
    let configured = if plan.bundle.is_some() { format!(" configmap/{name}-input") } else { String::new() };
    let wait = |job: &str| format!("#   kubectl{namespace} wait --for=condition=Complete --timeout=-1s job/{job}\n");
    format!(
        "# Written by scalelab {version}: a sweep in {shards} shards. Kubernetes 1.29 or later.\n\
         # Start it, and wait for its end (Failed is the condition of one that will not end well):\n\
         #   kubectl{namespace} create -f THIS-FILE\n{shards_end}\
         # The merge is there and suspended; let it go when the shards are complete:\n\
         #   kubectl{namespace} patch job/{name}-merge --type=merge -p '{{\"spec\":{{\"suspend\":false}}}}'\n{merge_end}\
         # The whole sweep is then in {whole}. To go on after a failure, or to change these files, delete what is written here and\n\
         # create it again; finished runs are in the {place} and are not done twice:\n\
         #   kubectl{namespace} delete job/{name} job/{name}-merge{configured}\n",
        version = env!("CARGO_PKG_VERSION"),
        shards = settings.shards,
        shards_end = wait(name),
        merge_end = wait(&format!("{name}-merge")),
        whole = settings.bucket.as_ref().map_or_else(
            || format!("{name}/merged of the volume"),
            |bucket| bucket.join(name).join("merged").to_string()
        ),
        place = if settings.bucket.is_some() { "bucket" } else { "volume" },
    )
}

fn metadata(plan: &Plan<'_>, ending: &str) -> Value {
    let mut metadata = json!({"name": format!("{}{ending}", plan.name)});
    if let Some(namespace) = &plan.settings.namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata["labels"] = json!({"app.kubernetes.io/name": "scalelab", "app.kubernetes.io/instance": plan.name});
    metadata
}

fn config_map(plan: &Plan<'_>) -> Option<Value> {
    let (texts, others) = plan.bundle?.data();
    let mut document = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(plan, "-input"),
        // Shards of one sweep read the same.
        "immutable": true,
        "data": texts,
    });
    if !others.is_empty() {
        document["binaryData"] = json!(others);
    }
    Some(document)
}

/// Name of the claim: the one given, or that of the one written.
fn claim_name(plan: &Plan<'_>) -> String {
    plan.settings.volume.clone().unwrap_or_else(|| format!("{}-results", plan.name))
}

fn claim(plan: &Plan<'_>) -> Option<Value> {
    let size = plan.settings.size.as_ref()?;
    let mut metadata = metadata(plan, "");
    metadata["name"] = json!(claim_name(plan));
    let mut spec = json!({"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": size}}});
    if let Some(class) = &plan.settings.storage_class {
        spec["storageClassName"] = json!(class);
    }
    Some(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}))
}

fn shards(plan: &Plan<'_>) -> Value {
    let settings = plan.settings;
    let sweep = match (&settings.input, plan.bundle) {
        (Some(path), _) => path.clone(),
        (None, Some(bundle)) => format!("{INPUT}/{}", bundle.sweep()),
        (None, None) => unreachable!("a sweep is in the ConfigMap unless it is said where it is"),
    };
    let mut args = vec!["sweep".to_owned(), literal(&sweep)];
    args.extend(plan.set.iter().flat_map(|assignment| ["--set".to_owned(), literal(assignment)]));
    args.extend(["-o".to_owned(), part(plan, "$(JOB_COMPLETION_INDEX)")]);
    args.extend(["--shard".to_owned(), format!("job/{}", settings.shards)]);
    args.extend(["--resume", "--jobs", &settings.cpu.to_string(), "--quiet"].map(str::to_owned));
    if plan.allows_exec {
        args.push("--allow-exec".to_owned());
    }
    let mut pod = pod(plan, ("sweep", &settings.shard_memory(plan.point_settings)), &args);
    if let Some(bundle) = plan.bundle {
        let config = json!({"name": format!("{}-input", plan.name), "items": bundle.items()});
        push(&mut pod["volumes"], json!({"name": "input", "configMap": config}));
        let mount = json!({"name": "input", "mountPath": INPUT, "readOnly": true});
        push(&mut pod["containers"][0]["volumeMounts"], mount);
    }
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(plan, ""),
        "spec": {
            "completionMode": "Indexed",
            "completions": settings.shards,
            "parallelism": settings.parallelism,
            "backoffLimitPerIndex": settings.retries,
            // More than one in ten: that is no matter of a node.
            "maxFailedIndexes": settings.shards / 10,
            // Two pods of one index would write to one journal: the next waits until the last is gone.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": [
                {"action": "FailJob", "onExitCodes": {"containerName": "sweep", "operator": "In", "values": [EXIT_INPUT]}},
                // A node that is drained or taken away is nobody's failure.
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            ]},
            "template": template(plan, &pod),
        },
    })
}

fn merge(plan: &Plan<'_>) -> Value {
    let parts = (0..plan.settings.shards).map(|index| part(plan, &index.to_string()));
    let out = ["-o".to_owned(), place(plan, "merged")];
    let args: Vec<String> = std::iter::once("merge".to_owned()).chain(parts).chain(out).collect();
    let pod = pod(plan, ("merge", &plan.settings.merge_memory(plan.rows)), &args);
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(plan, "-merge"),
        "spec": {"suspend": true, "backoffLimit": 1, "template": template(plan, &pod)},
    })
}

/// Folder of a shard.
fn part(plan: &Plan<'_>, index: &str) -> String {
    place(plan, &format!("part-{index}"))
}

/// A folder of the results, in the volume or the bucket; `name` may have the variables of the kubelet.
fn place(plan: &Plan<'_>, name: &str) -> String {
    match &plan.settings.bucket {
        Some(bucket) => format!("{}/{name}", literal(&bucket.join(plan.name).to_string())),
        None => format!("{OUT}/{}/{name}", plan.name),
    }
}

fn template(plan: &Plan<'_>, pod: &Value) -> Value {
    let labels = json!({"app.kubernetes.io/name": "scalelab", "app.kubernetes.io/instance": plan.name});
    json!({"metadata": {"labels": labels}, "spec": pod})
}

/// A pod of one container, with its name and memory, that runs `args` and sees the volume, or has what opens the bucket.
fn pod(plan: &Plan<'_>, (container, memory): (&str, &str), args: &[String]) -> Value {
    let settings = plan.settings;
    let mut requests = Map::new();
    requests.insert("cpu".to_owned(), json!(settings.cpu.to_string()));
    requests.insert("memory".to_owned(), json!(memory));
    let mut pod = json!({
        "restartPolicy": "Never",
        "automountServiceAccountToken": false,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [{
            "name": container,
            "image": settings.image,
            "args": args,
            "env": [{"name": "SCALELAB_CACHE_DIR", "value": "/tmp"}],
            "resources": {"requests": requests, "limits": {"memory": memory}},
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            },
            // The message of a mistake stands in the status of the pod, where it is looked for first.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        }],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    });
    if settings.bucket.is_none() {
        let claim = json!({"name": "out", "persistentVolumeClaim": {"claimName": claim_name(plan)}});
        let mount = json!({"name": "out", "mountPath": OUT});
        put_first(&mut pod["volumes"], claim);
        put_first(&mut pod["containers"][0]["volumeMounts"], mount);
    }
    if let Some(secret) = &settings.secret {
        // Its keys are names of variables: credentials stand in no manifest.
        pod["containers"][0]["envFrom"] = json!([{"secretRef": {"name": secret}}]);
    }
    if let Some(account) = &settings.service_account {
        pod["serviceAccountName"] = json!(account);
    }
    pod
}

fn put_first(list: &mut Value, entry: Value) {
    list.as_array_mut().expect("lists are made as lists").insert(0, entry);
}

fn push(list: &mut Value, entry: Value) {
    list.as_array_mut().expect("lists are made as lists").push(entry);
}

/// A word that the kubelet hands on as it is: it reads `$(NAME)` as a variable and `$$` as `$`.
fn literal(word: &str) -> String {
    word.replace('$', "$$")
}
