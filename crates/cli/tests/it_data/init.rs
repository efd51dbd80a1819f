//! Starters run, copy word for word, and overwrite nothing.

use super::support::Lab;

#[test]
fn a_starter_without_anything_runs() {
    let lab = Lab::new();
    lab.out("init -o start");
    assert_eq!(lab.names(), ["start"]);
    lab.out("run start --set run.duration=5m --set run.replications=1 -o out --quiet");
}

#[test]
fn a_starter_around_manifests_copies_them_word_for_word_and_compares_their_autoscalers() {
    let lab = Lab::new();
    let ran = lab.run("init --manifests @manifests --traffic @trace.csv -o chat");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // An autoscaler of something else is no policy of this service.
    assert!(ran.stderr.contains("HorizontalPodAutoscaler/other scales other, not chat"), "{}", ran.stderr);
    let original = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data_data/manifests/chat.yaml"));
    assert_eq!(lab.read("chat/chat.yaml"), original.unwrap());
    let scenario = lab.read("chat/scenario.yaml");
    for part in ["continuousBatching:", "hpa: chat", "file: traffic/trace.csv", "instanceTypes: [g", "replicas: 2"] {
        assert!(scenario.contains(part), "{part}\n{scenario}");
    }
    lab.out("run chat --set run.replications=1 -o out --quiet");
}

#[test]
fn a_table_of_counts_becomes_a_rate_and_says_that_this_is_a_guess() {
    let lab = Lab::new();
    lab.out("init --traffic @rate.csv -o counted");
    let scenario = lab.read("counted/scenario.yaml");
    assert!(scenario.contains("GUESS: the column \"requests\" is read as requests in each interval"), "{scenario}");
    assert!(scenario.contains("duration: 900s"), "{scenario}");
    lab.out("run counted --set run.replications=1 -o out --quiet");
}

#[test]
fn nothing_is_overwritten_and_nothing_half_written() {
    let lab = Lab::new();
    lab.write("there", "mine");
    assert!(lab.refused("init -o there").contains("never overwrites"));
    assert_eq!(lab.read("there"), "mine");
    assert!(lab.refused("init --manifests nowhere.yaml -o new").contains("nowhere.yaml: cannot be read"));
    lab.write(
        "broken.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {template: {spec: {containerz: []}}}\n",
    );
    let message = lab.refused("init --manifests broken.yaml -o new");
    assert!(message.contains("broken.yaml:4:"), "{message}");
    lab.write("odd.bin", "what is this");
    assert!(lab.refused("init --traffic odd.bin -o new").contains("neither a trace in a known format"));
    assert_eq!(lab.names(), ["broken.yaml", "odd.bin", "there"]);
}
