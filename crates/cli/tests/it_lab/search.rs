//! `optimize` and `sensitivity`.

use insta::assert_snapshot;

use crate::support::Desk;

#[test]
fn the_cheapest_feasible_point_is_found_and_confirmed() {
    let desk = Desk::new();
    let args = "optimize service hpa --minimize cost_usd --subject-to slo_attainment~>=~0.95 \
                --over policies.hpa.spec.maxReplicas=2..8 --runs 40 -o out";
    assert_snapshot!(desk.run(args));
    assert_snapshot!("tried", desk.read("out/tried.csv"));
    assert!(desk.path("out/front.png").exists());
    let plot = desk.read("out/front.svg");
    assert!(plot.contains(">slo_attainment &gt;= 0.95<") && plot.contains(">the winner with fresh seeds<"), "{plot}");
}

#[test]
fn one_job_and_two_find_the_same() {
    let desk = Desk::new();
    let args = "optimize service hpa --over policies.hpa.spec.maxReplicas=2..8 coldStart.modelDownload.constant=1s..60s --runs 40";
    assert_eq!(desk.run(&format!("{args} --jobs 1")), desk.run(&format!("{args} --jobs 2")));
}

#[test]
fn what_cannot_be_met_is_said_with_exit_code_1() {
    let args =
        "optimize service hpa --subject-to slo_attainment~>=~0.95 --over policies.hpa.spec.maxReplicas=2..2 --runs 8";
    let told = Desk::new().run(&args.replace("2..2", "2|2"));
    assert!(told.starts_with("exit code 1\n"), "{told}");
    assert!(told.contains("nothing meets the conditions"), "{told}");
}

#[test]
fn the_cliff_lies_between_a_value_that_holds_and_one_that_does_not() {
    let args =
        "optimize service hpa --subject-to slo_attainment~>=~0.95 --cliff coldStart.modelDownload.constant=1s..300s";
    assert_snapshot!(Desk::new().run(args));
}

#[test]
fn wrong_searches_are_refused() {
    let refusals = [
        "optimize service hpa --over policies.hpa.spec.maxReplicaz=2..8",
        "optimize service hpa --over policies.hpa.spec.maxReplicas",
        "optimize service hpa --over policies.hpa.spec.maxReplicas=8..2",
        "optimize service hpa --minimize costs_usd --over policies.hpa.spec.maxReplicas=2..8",
        "optimize service hpa --subject-to cost_usd~<=~baseline --over policies.hpa.spec.maxReplicas=2..8",
        "optimize service hpa --policy kda --over policies.hpa.spec.maxReplicas=2..8",
    ];
    let desk = Desk::new();
    let told: Vec<String> = refusals.iter().map(|args| format!("{args}\n{}", desk.run(args))).collect();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn the_input_that_matters_comes_first() {
    let over = "--over coldStart.modelDownload.constant=1s..60s policies.hpa.spec.maxReplicas=3..8";
    let desk = Desk::new();
    assert_snapshot!(desk.run(&format!("sensitivity service hpa {over} --of cost_usd")));
    assert_snapshot!(
        "sobol",
        desk.run(&format!("sensitivity service hpa {over} --of cost_usd --sobol --points 16 --replications 1"))
    );
}
