//! `check` and `diff`.

use insta::assert_snapshot;

use crate::support::Desk;

#[test]
fn manifests_that_keep_the_slo_pass_with_exit_code_0() {
    assert_snapshot!(Desk::new().run("check service hpa"));
}

#[test]
fn manifests_that_break_the_slo_fail_with_exit_code_1_and_the_files_say_by_how_much() {
    let desk = Desk::new();
    assert_snapshot!(desk.run("check service hpa-too-small --markdown check.md --junit junit.xml --json check.json"));
    assert_snapshot!("broken-markdown", desk.read("check.md"));
    assert_snapshot!("broken-junit", desk.read("junit.xml"));
    let json: serde_json::Value = serde_json::from_str(&desk.read("check.json")).expect("JSON");
    assert_eq!(json["passed"], false);
    assert_eq!(json["gates"][0]["outcome"], "fails");
}

#[test]
fn a_gate_that_the_data_cannot_decide_says_so_and_fails_or_passes_as_told() {
    let desk = Desk::new();
    let gate = "check service hpa --set gates=[] --gate cost_usd~<=~2.09";
    let told = desk.run(gate);
    assert!(told.starts_with("exit code 1\n"), "{told}");
    assert_snapshot!(told);
    let passed = desk.run(&format!("{gate} --undecided pass --markdown check.md"));
    assert!(passed.starts_with("exit code 0\n"), "{passed}");
    assert!(desk.read("check.md").contains("| **undecided** | hpa |"), "{}", desk.read("check.md"));
}

#[test]
fn a_baseline_decides_by_the_paired_difference() {
    let desk = Desk::new();
    desk.run("run service hpa -o before --quiet");
    let same = desk.run("check service hpa --baseline before --gate cost_usd~<=~baseline~*~1.01");
    assert!(same.starts_with("exit code 0\n"), "{same}");
    desk.change("hpa/hpa.yaml", "minReplicas: 2", "minReplicas: 5");
    assert_snapshot!(desk.run("check service hpa --baseline before --gate cost_usd~<=~baseline~*~1.01"));
}

#[test]
fn wrong_gates_are_refused_before_anything_runs() {
    let desk = Desk::new();
    let refusals = [
        "check service hpa --gate slo_atainment~>=~0.9",
        "check service hpa --gate keda:~cost_usd~<=~1",
        "check service hpa --gate cost_usd~<=~baseline",
        "check service hpa --set gates=[]",
        "check service hpa --baseline nowhere",
    ];
    let told: Vec<String> =
        refusals.iter().map(|args| format!("{args}\n{}", desk.run(&format!("{args} --markdown check.md")))).collect();
    assert_snapshot!(told.join("\n"));
    assert!(!desk.path("check.md").exists());
}

#[test]
fn a_difference_comes_with_its_interval_and_a_verdict() {
    let desk = Desk::new();
    desk.run("run service hpa -o before --quiet");
    desk.run("run service hpa-too-small -o after --quiet");
    assert_snapshot!(desk.run("diff before after"));
    assert_snapshot!("nothing-changed", desk.run("diff before before --format markdown"));
    assert_snapshot!("one-column", desk.run("diff before after --column cost_usd --format csv"));
    assert_snapshot!("unknown-column", desk.run("diff before after --column cost_us"));
}

#[test]
fn a_control_variate_is_said_to_be_one_and_needs_five_replications() {
    let desk = Desk::new();
    let args = "check service hpa --set gates=[] --control-variates --gate cost_usd~<=~3";
    let told = desk.run(&format!("{args} --replications 8"));
    assert!(told.starts_with("exit code 0\n") && told.contains("8 replications, requests as control"), "{told}");
    assert!(!desk.run(args).contains("as control"));
}

#[test]
fn a_warm_up_is_found_by_a_pilot_run_and_taken_into_the_record() {
    let desk = Desk::new();
    let told = desk.run("run service hpa --warm-up auto -o out");
    assert!(told.starts_with("exit code 0\n"), "{told}");
    let note = told.lines().find(|line| line.contains("by MSER-5")).unwrap_or_else(|| panic!("{told}"));
    // The traffic doubles halfway and stays there: no steady state, and it says so.
    assert!(note.contains("never becomes steady"), "{note}");
    assert!(desk.read("out/run.json").contains("warmUp"));
    let again = desk.run("run --from out/run.json -o again");
    assert!(again.starts_with("exit code 0\n"), "{again}");
    assert_eq!(desk.read("again/summary.csv"), desk.read("out/summary.csv"));
}

#[test]
fn one_output_may_be_standard_output_and_words_for_people_stand_aside() {
    let desk = Desk::new();
    let output = desk.command("check service hpa --json -").output().expect("the binary runs");
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!(json["passed"], true);
    assert!(String::from_utf8_lossy(&output.stderr).contains("holds"));
    let told = desk.run("check service hpa --json - --markdown -");
    assert!(told.starts_with("exit code 2\n"), "{told}");
    assert!(!desk.path("-").exists());
}
