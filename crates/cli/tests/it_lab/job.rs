//! `sweep --emit-job`: does what the cluster would run give the sweep of one process, and does it stand being run again?

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::support::Desk;

/// The documents on standard output of a command that must succeed.
fn emitted(desk: &Desk, args: &str) -> Vec<Value> {
    let output = desk.command(args).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_saphyr::from_multiple(&String::from_utf8(output.stdout).expect("YAML is text")).expect("it is YAML")
}

fn document<'a>(documents: &'a [Value], name: &str) -> &'a Value {
    let found = documents.iter().find(|document| document["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {name}"))
}

fn pod(job: &Value) -> &Value {
    &job["spec"]["template"]["spec"]
}

/// Mounts a ConfigMap as the kubelet does: the files in a hidden folder, a link to that, and a link for every name at the top.
fn mount(config: &Value, job: &Value, at: &Path) {
    let volumes = pod(job)["volumes"].as_array().expect("a list");
    let volume = volumes.iter().find(|volume| volume["configMap"]["name"] == config["metadata"]["name"]);
    let inner = at.join("..2026_11_29");
    for item in volume.expect("the pod has it")["configMap"]["items"].as_array().expect("a list") {
        let path = inner.join(item["path"].as_str().expect("a path"));
        fs::create_dir_all(path.parent().expect("a folder")).expect("a fresh folder");
        let text = config["data"][item["key"].as_str().expect("a key")].as_str().expect("these files are text");
        fs::write(path, text).expect("a fresh folder");
    }
    symlink("..2026_11_29", at.join("..data")).expect("a fresh folder");
    for entry in fs::read_dir(&inner).expect("it was written") {
        let name = entry.expect("a readable folder").file_name();
        symlink(Path::new("..data").join(&name), at.join(&name)).expect("a fresh folder");
    }
}

/// Runs the container of a job's pod with `/scalelab` at `root`, as the pod of `index`: the kubelet fills in `$(NAME)` and makes `$$` a `$`.
fn run(desk: &Desk, job: &Value, index: usize, root: &Path) -> Output {
    let root = root.display().to_string();
    let mut command = Command::new(env!("CARGO_BIN_EXE_scalelab"));
    command.current_dir(desk.path("")).env("JOB_COMPLETION_INDEX", index.to_string());
    for word in pod(job)["containers"][0]["args"].as_array().expect("a list") {
        let word = word.as_str().expect("words").replace("$(JOB_COMPLETION_INDEX)", &index.to_string());
        command.arg(word.replace("$$", "$").replace("/scalelab/", &format!("{root}/")));
    }
    command.output().expect("the binary runs")
}

fn bytes(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A sweep beside its scenario, whose traffic and manifests lie in folders of their own.
fn spread_out() -> Desk {
    let desk = Desk::new();
    for folder in ["sweeps", "traffic"] {
        fs::create_dir(desk.path(folder)).expect("a fresh folder");
    }
    fs::create_dir(desk.path("service/manifests")).expect("a fresh folder");
    fs::rename(desk.path("service/deployment.yaml"), desk.path("service/manifests/deployment.yaml"))
        .expect("it is there");
    fs::rename(desk.path("sweep.yaml"), desk.path("sweeps/sweep.yaml")).expect("it is there");
    desk.change("sweeps/sweep.yaml", "[service, hpa]", "[../service, ../hpa]");
    let rates = "time,rate\n0,200\n240,200\n360,800\n600,800\n";
    fs::write(desk.path("traffic/rate.csv"), rates).expect("a fresh folder");
    let scenario = desk.read("service/scenario.yaml");
    let (before, after) = scenario.split_once("        points:\n").expect("its traffic is a curve");
    let (_, after) = after.split_once("  service:\n").expect("the service follows");
    let series = "        series: {file: ../traffic/rate.csv, time: time, value: rate, valueUnit: perSecond}\n";
    let text = format!("{before}{series}  service:\n{after}");
    fs::write(desk.path("service/scenario.yaml"), text).expect("a writable folder");
    desk
}

#[test]
fn shards_in_pods_killed_and_repeated_merge_to_the_sweep_of_one_process() {
    let desk = spread_out();
    let arguments = "sweeps/sweep.yaml --set slo.latency=90ms";
    let whole = desk.run(&format!("sweep {arguments} -o whole --jobs 1 --quiet"));
    assert!(whole.starts_with("exit code 0\n"), "{whole}");
    let documents =
        emitted(&desk, &format!("sweep {arguments} --emit-job image=me/scalelab:1 shards=3 volume=results"));
    let (config, shards) = (document(&documents, "busy-input"), document(&documents, "busy"));
    let root = desk.path("pod");
    fs::create_dir_all(root.join("input")).expect("a fresh folder");
    mount(config, shards, &root.join("input"));
    for index in [2, 0, 1] {
        let output = run(&desk, shards, index, &root);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    // One pod was killed while it wrote a line, and one finished without the cluster having heard of it: both run again.
    let journal = root.join("out/busy/part-1/journal.jsonl");
    let text = bytes(&journal);
    fs::write(&journal, &text[..text.len() - 300]).expect("a writable folder");
    for index in [1, 2] {
        assert!(run(&desk, shards, index, &root).status.success());
    }
    let merged = run(&desk, document(&documents, "busy-merge"), 0, &root);
    let told = String::from_utf8_lossy(&merged.stderr);
    assert!(merged.status.success() && !told.contains("missing"), "{told}");
    let merged = root.join("out/busy/merged");
    for file in
        ["results.csv", "results.parquet", "plots/cost_vs_slo.svg", "plots/heat_map-hpa.png", "plots/curve-hpa.svg"]
    {
        assert_eq!(bytes(&merged.join(file)), bytes(&desk.path(&format!("whole/{file}"))), "{file}");
    }
}

#[test]
fn manifests_below_the_folder_of_the_sweep_are_found_in_a_pod_too() {
    let desk = Desk::new();
    fs::create_dir(desk.path("service/manifests")).expect("a fresh folder");
    for (from, to) in [("hpa/hpa.yaml", "service/manifests/hpa.yaml"), ("sweep.yaml", "service/sweep.yaml")] {
        fs::rename(desk.path(from), desk.path(to)).expect("it is there");
    }
    desk.change("service/sweep.yaml", "[service, hpa]", ".");
    let documents = emitted(&desk, "sweep service/sweep.yaml --emit-job image=me/scalelab:1 shards=1 volume=results");
    let (config, shards) = (document(&documents, "busy-input"), document(&documents, "busy"));
    let root = desk.path("pod");
    fs::create_dir_all(root.join("input")).expect("a fresh folder");
    mount(config, shards, &root.join("input"));
    let output = run(&desk, shards, 0, &root);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_job_says_what_kubernetes_needs_to_know_of_a_shard() {
    let desk = Desk::new();
    let words = "image=me/scalelab:1 shards=8 size=10Gi storageClass=fast namespace=lab name=busy-week parallelism=4 cpu=2 memory=4Gi retries=5 input=/scalelab/out/in/sweep.yaml";
    let documents = emitted(&desk, &format!("sweep sweep.yaml --set metadata.description=$(x) --emit-job {words}"));
    let kinds: Vec<&Value> = documents.iter().map(|document| &document["kind"]).collect();
    assert_eq!(kinds, ["PersistentVolumeClaim", "Job", "Job"], "the files are in the volume: no ConfigMap");
    assert!(documents.iter().all(|document| document["metadata"]["namespace"] == "lab"));
    let job = document(&documents, "busy-week");
    let expected = [
        ("/spec/completionMode", json!("Indexed")),
        ("/spec/completions", json!(8)),
        ("/spec/parallelism", json!(4)),
        ("/spec/backoffLimitPerIndex", json!(5)),
        ("/spec/maxFailedIndexes", json!(0)),
        ("/spec/podFailurePolicy/rules/0/action", json!("FailJob")),
        ("/spec/podFailurePolicy/rules/0/onExitCodes/values", json!([2])),
        ("/spec/template/spec/restartPolicy", json!("Never")),
        ("/spec/template/spec/containers/0/resources/requests", json!({"cpu": "2", "memory": "4Gi"})),
        ("/spec/template/spec/volumes/0/persistentVolumeClaim/claimName", json!("busy-week-results")),
        ("/spec/template/spec/containers/0/args/1", json!("/scalelab/out/in/sweep.yaml")),
        ("/spec/template/spec/containers/0/args/3", json!("metadata.description=$$(x)")),
    ];
    for (path, value) in expected {
        assert_eq!(job.pointer(path), Some(&value), "{path}");
    }
    assert_eq!(document(&documents, "busy-week-results")["spec"]["resources"]["requests"]["storage"], "10Gi");
    assert_eq!(document(&documents, "busy-week-merge")["spec"]["suspend"], true);
}

#[test]
fn with_a_bucket_pods_share_nothing_else_and_no_credentials_are_written() {
    let desk = Desk::new();
    let words = "image=me/scalelab:1 shards=2 bucket=s3://lab/$sweeps/ secret=bucket serviceAccount=sweeper";
    let documents = emitted(&desk, &format!("sweep sweep.yaml --emit-job {words}"));
    let kinds: Vec<&Value> = documents.iter().map(|document| &document["kind"]).collect();
    assert_eq!(kinds, ["ConfigMap", "Job", "Job"], "there is no claim");
    let (shards, merge) = (document(&documents, "busy"), document(&documents, "busy-merge"));
    for job in [shards, merge] {
        assert!(pod(job)["volumes"].as_array().expect("a list").iter().all(|volume| volume["name"] != "out"));
        assert_eq!(pod(job)["containers"][0]["envFrom"], json!([{"secretRef": {"name": "bucket"}}]));
        assert_eq!(pod(job)["serviceAccountName"], "sweeper");
    }
    let args = |job: &Value| pod(job)["containers"][0]["args"].as_array().expect("a list").clone();
    // The kubelet reads `$$` as `$`.
    assert!(args(shards).contains(&json!("s3://lab/$$sweeps/busy/part-$(JOB_COMPLETION_INDEX)")), "{:?}", args(shards));
    let parts = [
        "merge",
        "s3://lab/$$sweeps/busy/part-0",
        "s3://lab/$$sweeps/busy/part-1",
        "-o",
        "s3://lab/$$sweeps/busy/merged",
    ];
    assert_eq!(args(merge), parts.map(|word| json!(word)));
}

#[test]
fn what_no_cluster_could_run_is_refused_and_nothing_written() {
    let desk = spread_out();
    let refused = |args: &str, message: &str| {
        let told = desk.run(&format!("sweep {args} -o job.yaml"));
        assert!(told.starts_with("exit code 2\n") && told.contains(message), "{args}: {told}");
        assert!(!desk.path("job.yaml").exists(), "{args}");
    };
    let words = "--emit-job image=x shards=2 volume=v";
    refused(&format!("sweeps/sweep.yaml {words} parralelism=1"), "did you mean `parallelism`?");
    refused("sweeps/sweep.yaml --emit-job image=x shards=9 volume=v", "the sweep has 8 points");
    refused(&format!("- {words}"), "name one in place of `-`");
    refused(&format!("sweeps/sweep.yaml --jobs 2 {words}"), "say cpu=N");
    refused(&format!("sweeps/sweep.yaml --resume {words}"), "cannot be used with");
    // A file that is named from the root of this disk is not in a pod.
    let here = desk.path("traffic/rate.csv").display().to_string();
    desk.change("service/scenario.yaml", "../traffic/rate.csv", &here);
    refused(&format!("sweeps/sweep.yaml {words}"), "leads nowhere in a pod");
    desk.change("service/scenario.yaml", &here, "../traffic/rate.csv");
    let rows: String = (0..80_000).map(|minute| format!("{},200.0\n", minute * 60)).collect();
    fs::write(desk.path("traffic/rate.csv"), format!("time,rate\n{rows}")).expect("a writable folder");
    refused(&format!("sweeps/sweep.yaml {words}"), "a ConfigMap holds 1024 KiB: traffic/rate.csv has 1");
}

#[test]
fn a_shard_of_a_job_needs_the_index_of_its_pod() {
    let desk = Desk::new();
    let told = |index: Option<&str>, shard: &str| {
        let mut command = desk.command(&format!("sweep sweep.yaml -o out --shard {shard} --quiet"));
        command.env_remove("JOB_COMPLETION_INDEX");
        command.envs(index.map(|index| ("JOB_COMPLETION_INDEX", index)));
        let output = command.output().expect("the binary runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (index, shard, message) in [
        (None, "job/8", "JOB_COMPLETION_INDEX is not set"),
        (Some("8"), "job/8", "an index from 0 to N - 1"),
        (Some("one"), "job/8", "JOB_COMPLETION_INDEX=one"),
        (Some("0"), "job/none", "expected job/N"),
    ] {
        let (code, text) = told(index, shard);
        assert!(code == Some(2) && text.contains(message), "{text}");
    }
    assert!(!desk.path("out").exists());
    assert_eq!(told(Some("7"), "job/8").0, Some(0));
    // The last of eight points, in two replications.
    let table = desk.read("out/results.csv");
    assert!(table.lines().count() == 3 && table.lines().skip(1).all(|line| line.starts_with("7,")), "{table}");
}
