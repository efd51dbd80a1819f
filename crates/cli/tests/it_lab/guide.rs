//! The commands of the guide, taken from its pages and run.

use std::path::Path;
use std::process::Output;

use crate::support::Desk;

/// A page of the guide.
fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced block after `heading`.
fn block(page: &str, heading: &str) -> String {
    let below = page.split_once(heading).unwrap_or_else(|| panic!("no `{heading}`")).1;
    let inside = below.split("```").nth(1).expect("a block stands below the heading");
    inside.split_once('\n').expect("a block has lines").1.to_owned()
}

/// The scalelab commands in a block: of `run:` in one line or several, of a list, or plain.
fn commands(block: &str) -> Vec<String> {
    let lines = block.lines().map(|line| line.trim().trim_start_matches("- ").trim_start_matches("run: "));
    lines.filter(|line| line.starts_with("scalelab ")).map(str::to_owned).collect()
}

/// A folder with `deploy/` as a repository would have it, and `base/deploy` as the target branch has it.
fn repository() -> Desk {
    let desk = Desk::new();
    for folder in ["deploy", "base/deploy"] {
        std::fs::create_dir_all(desk.path(folder)).expect("a fresh folder");
        for file in ["service/scenario.yaml", "service/deployment.yaml", "hpa/hpa.yaml"] {
            let name = Path::new(file).file_name().expect("a file has a name");
            std::fs::copy(desk.path(file), desk.path(folder).join(name)).expect("a readable file");
        }
    }
    desk
}

/// How a line of shell ended.
fn exit_code(output: &Output) -> i32 {
    output.status.code().expect("the shell ends by itself")
}

#[test]
fn the_github_workflow_passes_a_harmless_change_and_stops_one_that_breaks_the_slo() {
    let commands = commands(&block(&page("check.md"), "### GitHub Actions"));
    assert_eq!(commands.len(), 4, "{commands:?}");
    let desk = repository();
    assert_eq!(commands.iter().map(|line| exit_code(&desk.shell(line))).collect::<Vec<_>>(), [0; 4]);
    desk.change("deploy/hpa.yaml", "maxReplicas: 6", "maxReplicas: 2");
    assert_eq!(commands.iter().map(|line| exit_code(&desk.shell(line))).collect::<Vec<_>>(), [0, 1, 0, 0]);
    assert!(desk.read("check.md").contains("`slo_attainment >= 0.95` fails on hpa"), "{}", desk.read("check.md"));
    assert!(desk.read("diff.md").contains("| hpa | slo_attainment |"), "{}", desk.read("diff.md"));
    assert!(desk.read("junit.xml").contains("<failure "));
}

#[test]
fn the_gitlab_job_passes_a_harmless_change_and_stops_one_that_breaks_the_budget() {
    let commands = commands(&block(&page("check.md"), "### GitLab"));
    assert_eq!(commands.len(), 2, "{commands:?}");
    let desk = repository();
    assert_eq!(commands.iter().map(|line| exit_code(&desk.shell(line))).collect::<Vec<_>>(), [0, 0]);
    desk.change("deploy/hpa.yaml", "minReplicas: 2", "minReplicas: 5");
    assert_eq!(commands.iter().map(|line| exit_code(&desk.shell(line))).collect::<Vec<_>>(), [0, 1]);
    assert!(desk.read("check.md").contains("| **fails** | hpa | `cost_usd <= baseline * 1.05` |"));
}

#[test]
fn the_commands_that_compare_two_runs_work() {
    let desk = repository();
    for line in commands(&block(&page("check.md"), "## Two runs side by side")) {
        assert_eq!(exit_code(&desk.shell(&line)), 0, "{line}");
    }
}

#[test]
fn every_gate_of_the_guide_is_one() {
    let gates = block(&page("check.md"), "## Writing gates");
    let gates: Vec<String> = gates
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .map(|gate| gate.split(" #").next().unwrap_or_default().trim().trim_matches('"').to_owned())
        .collect();
    assert_eq!(gates.len(), 6);
    let desk = repository();
    exit_code(&desk.shell("scalelab run deploy --quiet -o before"));
    for gate in gates {
        let code =
            exit_code(&desk.shell(&format!("scalelab check deploy --set gates=[] --baseline before --gate '{gate}'")));
        assert!(code < 2, "{gate}: exit code {code}");
    }
}

#[test]
fn the_axes_of_the_guide_are_axes() {
    let page = page("sweep.md");
    let (first, more) = (block(&page, "## The file"), block(&page, "Other kinds of axis:"));
    let head = first.split("axes:").next().expect("a sweep has a head");
    assert_eq!(lab::sweep::Sweep::parse(&first).expect("the guide's sweep").points.len(), 3 * (5 * 5 - 2));
    let sweep = format!("{head}axes:\n{more}");
    assert_eq!(lab::sweep::Sweep::parse(&sweep).expect("the guide's other axes").points.len(), 3 * 64);
}
