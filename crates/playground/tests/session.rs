//! Does a packed scenario run as the one on disk, and are questions about it answered?

use std::path::PathBuf;
use std::sync::Arc;

use cluster::Keep;
use lab::experiment::replication_seed;
use playground::{PackError, Recorder, Session, pack};
use scenario::{Documents, Input, Loaded};
use serde_json::{Value, json};

fn packed(inputs: &[Input], set: &[(&str, &str)]) -> (Loaded, Result<Vec<u8>, PackError>) {
    let recorder = Arc::new(Recorder::new(Arc::new(traces::Disk::default())));
    let documents = Documents::read(inputs, Arc::clone(&recorder) as _).unwrap();
    let overrides: Vec<(String, String)> =
        set.iter().map(|(path, value)| ((*path).to_owned(), (*value).to_owned())).collect();
    (documents.load(&overrides).unwrap(), pack(&documents, &recorder, &overrides))
}

fn shipped(name: &str, set: &[(&str, &str)]) -> (Loaded, Session, Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name);
    let (loaded, pack) = packed(&[Input::Path(folder)], set);
    let (session, answer) = Session::open(&pack.unwrap());
    (loaded, session.unwrap(), head(&answer))
}

fn head(answer: &[u8]) -> Value {
    let length = u32::from_le_bytes(answer[..4].try_into().unwrap()) as usize;
    serde_json::from_slice(&answer[4..4 + length]).unwrap()
}

fn ask(session: &mut Session, question: &Value) -> Value {
    head(&session.answer(question.to_string().as_bytes()))
}

#[test]
fn runs_of_a_pack_are_those_of_the_scenario_on_disk() {
    for (name, length) in [("spot-day", "3h"), ("llm-hour", "3m"), ("triton-day", "20m")] {
        let (loaded, mut session, _) = shipped(name, &[("run.duration", length)]);
        for policy in 0..loaded.spec.policies.len() {
            let seed = replication_seed(loaded.seed, 0);
            let record = cluster::simulate(&loaded.spec, policy, 0, seed, Keep { tables: true, requests: false });
            let answer = ask(&mut session, &json!({"ask": "run", "set": [], "policy": policy, "replication": 0}));
            assert_eq!(answer["digest"], format!("{:016x}", record.digest), "{name}, {}", record.policy);
        }
    }
}

#[test]
fn a_setting_changes_the_fingerprint_of_the_policies_that_feel_it_and_of_no_other() {
    let (_, mut session, before) = shipped("triton-day", &[("run.duration", "10m")]);
    let prints = |answer: &Value| -> Vec<Value> {
        answer["policies"].as_array().unwrap().iter().map(|policy| policy["fingerprint"].clone()).collect()
    };
    let names: Vec<Value> =
        before["policies"].as_array().unwrap().iter().map(|policy| policy["name"].clone()).collect();
    let felt = |after: &Value| -> Vec<Value> {
        let pairs = prints(&before).into_iter().zip(prints(after)).zip(&names);
        pairs.filter(|((before, after), _)| before != after).map(|(_, name)| name.clone()).collect()
    };
    let own = ask(&mut session, &json!({"ask": "scenario", "set": [["policies.hpa.hpa.minReplicas", "3"]]}));
    assert_eq!(felt(&own), [json!("hpa")]);
    let shared = ask(&mut session, &json!({"ask": "scenario", "set": [["traffic.scale", "120%"]]}));
    assert_eq!(felt(&shared), names);
}

#[test]
fn every_knob_of_the_shipped_scenarios_takes_the_value_that_it_shows() {
    for name in ["triton-day", "llm-hour", "spot-day", "model-zoo"] {
        let (_, mut session, before) = shipped(name, &[]);
        let knobs = before["knobs"].as_array().unwrap();
        assert!(knobs.len() > 10, "{name} has {} knobs", knobs.len());
        let all = knobs.iter().map(|knob| {
            let text = knob["text"].as_str().unwrap();
            json!([knob["path"], if knob["is_text"] == true { format!("\"{text}\"") } else { text.to_owned() }])
        });
        let answer = ask(&mut session, &json!({"ask": "scenario", "set": all.collect::<Vec<_>>()}));
        assert_eq!(answer["error"], Value::Null, "{name}");
    }
}

/// `fragment` over `document`: mappings are merged, everything else is replaced.
fn merge(document: &mut Value, fragment: &Value) {
    match (document, fragment) {
        (Value::Object(keys), Value::Object(parts)) => {
            for (key, part) in parts {
                merge(keys.entry(key).or_insert(Value::Null), part);
            }
        }
        (document, part) => *document = part.clone(),
    }
}

/// The documents with the YAML merged into them against those with `--set`.
fn pasted_means_the_same(name: &str, set: &[(&str, &str)]) {
    let base = [("run.duration", "10m")];
    let (loaded, mut session, _) = shipped(name, &base);
    let answer = ask(&mut session, &json!({"ask": "scenario", "set": set}));
    let yaml = answer["yaml"].as_str().unwrap_or_else(|| panic!("{answer}"));
    // The scenario's own reader; it wants a Scenario among the documents, and has it where the Scenario is changed.
    let has_scenario = yaml.contains("kind: Scenario\n");
    let scenario = "---\napiVersion: scalelab.dev/v1\nkind: Scenario\nmetadata: {name: none}\n";
    let text = if has_scenario { yaml.to_owned() } else { format!("{yaml}{scenario}") };
    let input = Input::Text { name: "pasted".to_owned(), text };
    let fragments =
        Documents::read(&[input], Arc::new(traces::Disk::default())).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    let mut documents = loaded.documents.as_array().unwrap().clone();
    for fragment in fragments.texts() {
        let fragment: Value = serde_json::from_str(&fragment).unwrap();
        let is_same = |document: &&mut Value| {
            document["kind"] == fragment["kind"] && document["metadata"]["name"] == fragment["metadata"]["name"]
        };
        if let Some(document) = documents.iter_mut().find(is_same) {
            merge(document, &fragment);
        }
    }
    let inputs: Vec<Input> = documents
        .iter()
        .map(|document| Input::Text { name: "merged".to_owned(), text: document.to_string() })
        .collect();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios").join(name);
    let read = Documents::read(&inputs, Arc::new(traces::Disk::default())).unwrap().in_folder(&folder);
    let pasted = read.load(&[]).unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    let overrides = base.iter().chain(set).copied().collect::<Vec<_>>();
    let (told, _) = packed(&[Input::Path(folder)], &overrides);
    assert_eq!(format!("{:?}", pasted.spec), format!("{:?}", told.spec), "{yaml}");
}

#[test]
fn the_yaml_of_settings_means_what_their_set_lines_mean() {
    let (ours, deployed) =
        (("policies.hpa.hpa.minReplicas", "5"), ("policies.keda.keda.triggers[0].metadata.threshold", "\"700\""));
    let (burst, objective) = (("traffic.generator.rate.sum[1].burst.height", "900req/s"), ("slo.objective", "95%"));
    pasted_means_the_same("triton-day", &[ours, deployed, burst, objective]);
    pasted_means_the_same("triton-day", &[("coldStart.gpuLoad.uniform.high", "45s")]);
    pasted_means_the_same("triton-day", &[("HorizontalPodAutoscaler/triton-hpa-corrected.spec.maxReplicas", "7")]);
}

#[test]
fn a_preview_begins_where_it_is_asked_for_with_the_replicas_that_were_there() {
    let (_, mut session, _) = shipped("triton-day", &[]);
    let question = json!({
        "ask": "preview", "set": [], "policy": 0, "from_s": 52_210, "length_s": 300, "replicas": [3],
    });
    let answer = session.answer(question.to_string().as_bytes());
    let told = head(&answer);
    assert_eq!((told["fromS"].as_f64(), told["lengthS"].as_f64()), (Some(52_200.0), Some(300.0)));
    let requests = told["summary"]["requests"].as_f64().unwrap();
    // From 14:30 the rate climbs from 1,675 to 3,875 a second within two minutes and stays: 1,029,000 but for the noise.
    assert!((requests / 1_029_000.0 - 1.0).abs() < 0.12, "{requests} requests");
}

#[test]
fn settings_and_questions_that_make_no_sense_are_refused_and_the_session_goes_on() {
    let (_, mut session, _) = shipped("triton-day", &[("run.duration", "5m")]);
    let wrong = ask(&mut session, &json!({"ask": "scenario", "set": [["policies.hpa.hpa.maxReplicas", "0"]]}));
    assert!(wrong["error"].as_str().unwrap().contains("maxReplicas"), "{wrong}");
    assert!(head(&session.answer(b"{}"))["error"].as_str().unwrap().starts_with("not a question"));
    let late = ask(&mut session, &json!({"ask": "run", "set": [], "policy": 0, "replication": 1}));
    assert_eq!(late["error"], "replications are asked for in order");
    let good = ask(&mut session, &json!({"ask": "run", "set": [], "policy": 0, "replication": 0}));
    assert_eq!(good["error"], Value::Null);
}

#[test]
fn a_damaged_pack_is_refused() {
    let (_, pack) = packed(&Input::embedded_default(), &[]);
    let pack = pack.unwrap();
    for cut in [0, 7, 20, pack.len() / 2, pack.len() - 1] {
        let (session, answer) = Session::open(&pack[..cut]);
        assert!(session.is_none() && head(&answer)["error"].is_string(), "cut at {cut}");
    }
}
