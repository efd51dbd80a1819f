//! Examples for the end of every `--help`. A test parses each, so that none goes stale.

use clap::{Command, CommandFactory, FromArgMatches};

use super::Cli;

/// Per command its examples; commands of commands are separated by a space.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "run",
        &[
            "scalelab run",
            "scalelab run scenarios/triton-day --policy hpa --policy keda --set run.duration=3h",
            "scalelab run my-service --replications 10 -o results/monday --open",
        ],
    ),
    ("check", &["scalelab check my-service --gate 'slo_attainment >= 0.99' --junit gates.xml"]),
    ("validate", &["scalelab validate scenarios/validation/llm-d --markdown validation.md"]),
    ("diff", &["scalelab diff results/before results/after"]),
    (
        "sweep",
        &[
            "scalelab sweep sweep.yaml -o results/sweep",
            "scalelab sweep sweep.yaml --shard 1/4 -o part-1",
            "scalelab sweep sweep.yaml --emit-job image=ghcr.io/me/scalelab:1 shards=50 volume=results > job.yaml",
        ],
    ),
    ("merge", &["scalelab merge part-1 part-2 -o results/sweep"]),
    (
        "optimize",
        &[
            "scalelab optimize scenarios/triton-day --policy hpa --subject-to 'slo_attainment >= 0.99' --over policies.hpa.spec.minReplicas=1..20",
        ],
    ),
    ("sensitivity", &["scalelab sensitivity my-service --over traffic.scale=80%..120%"]),
    (
        "explain",
        &[
            "scalelab explain results/triton-day --policy hpa --at 14:33",
            "scalelab explain results/triton-day --policy hpa --watch queue_depth",
        ],
    ),
    (
        "advise",
        &[
            "scalelab advise my-service --url http://127.0.0.1:9090",
            "scalelab advise my-service --url http://127.0.0.1:9090 --policy hpa --at 2026-03-01T09:14:00Z --format json",
            "scalelab advise my-service --url https://prometheus.example.com --token-file token --watch 15s --format prometheus -o advice.prom",
        ],
    ),
    ("metrics", &["scalelab metrics scenarios/triton-day --policy keda"]),
    ("report", &["scalelab report results/triton-day"]),
    (
        "trace inspect",
        &[
            "scalelab trace inspect requests.csv.gz",
            "scalelab trace inspect log.csv --arrival ts --arrival-unit milliseconds",
        ],
    ),
    ("trace convert", &["scalelab trace convert requests.csv.gz requests.parquet"]),
    ("trace synthesize", &["scalelab trace synthesize --rate 5req/s --duration 10m --seed 1 -o made-up.csv.gz"]),
    ("trace fit", &["scalelab trace fit requests.csv.gz --interval 5m"]),
    ("prices list", &["scalelab prices list --gpu H100"]),
    ("prices show", &["scalelab prices show p4d.24xlarge"]),
    (
        "prices import",
        &["scalelab prices import --format skypilot vms.csv --provider aws --date 2026-11-20 -o my-prices.csv"],
    ),
    (
        "calibrate cold-start",
        &["scalelab calibrate cold-start --pods pods.json --events events.json --nodes nodes.json -o cold-start.yaml"],
    ),
    ("calibrate spot", &["scalelab calibrate spot --history us-west-2b.json us-west-2c.json"]),
    ("calibrate service", &["scalelab calibrate service --format perf-analyzer --batch 1,8 b1.csv b8.csv"]),
    ("calibrate presets", &["scalelab calibrate presets --match llama"]),
    ("calibrate preset", &["scalelab calibrate preset", "scalelab calibrate preset vllm-8b-h100"]),
    (
        "init",
        &[
            "scalelab init --manifests k8s/ --traffic requests.csv -o my-service",
            "kubectl kustomize overlays/prod | scalelab init --manifests - -o my-service",
        ],
    ),
    (
        "import prometheus",
        &[
            "scalelab import prometheus --url http://127.0.0.1:9090 --service chat -o yesterday",
            "scalelab import prometheus --url https://prometheus.example.com --token-file token --since 7d --manifests k8s/ --service chat -o chat-week",
            "scalelab import prometheus --url http://127.0.0.1:9090 --service chat --requests istio_requests_total --match 'destination_app=\"chat\"' -o yesterday",
        ],
    ),
    (
        "import kubectl",
        &[
            "kubectl get deploy,hpa,pods,events -n ml -o json | scalelab import kubectl - -o my-service",
            "scalelab import kubectl --run --namespace ml --context prod -o my-service",
            "scalelab import kubectl objects.json pods.json events.json nodes.json --workload chat -o my-service",
        ],
    ),
    (
        "fuzz",
        &[
            "scalelab fuzz --worlds 100",
            "scalelab fuzz --for 10m --seed 7 -o broken",
            "scalelab fuzz --seed 7 --world 31",
        ],
    ),
    ("lab", &["scalelab lab scenarios/triton-day -o lab.html"]),
    ("schema", &["scalelab schema > scenario.schema.json", "scalelab schema --advice > advice.schema.json"]),
    ("completions", &["scalelab completions bash > ~/.local/share/bash-completion/completions/scalelab"]),
    ("man", &["scalelab man | man -l -"]),
];

/// The command line, parsed; asked for help or wrong, it ends the process.
pub fn parse() -> Cli {
    let matches = with_examples(Cli::command(), "").get_matches();
    Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command with the examples of all its commands. `path` is where it stands, empty for the program.
fn with_examples(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    names.into_iter().fold(command, |command, name| {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command.mut_subcommand(&name, |one| {
            let examples = EXAMPLES.iter().find(|known| known.0 == path).map(|known| known.1);
            let lines = examples.map(|lines| lines.iter().map(|line| format!("\n  {line}")).collect::<String>());
            let one = with_examples(one, &path);
            match lines {
                Some(lines) => one.after_help(format!("Examples:{lines}")),
                None => one,
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    /// Words as a shell takes them, as far as examples need it: single quotes, the end of a pipe, no redirection.
    fn words(line: &str) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for (part, text) in line.split('\'').enumerate() {
            let is_quoted = part % 2 == 1;
            let plain = text.split_whitespace().map(str::to_owned);
            words.extend(if is_quoted { vec![text.to_owned()] } else { plain.collect() });
        }
        let from = words.iter().rposition(|word| word == "scalelab").unwrap_or(0);
        let to = words.iter().position(|word| word == ">").unwrap_or(words.len());
        let piped = words[from..to].iter().position(|word| word == "|").map_or(to, |place| from + place);
        words[from..piped].to_vec()
    }

    /// The commands that do something, by their path.
    fn leaves(command: &Command, path: &str) -> Vec<String> {
        command
            .get_subcommands()
            .filter(|one| one.get_name() != "help")
            .flat_map(|one| {
                let path = format!("{path} {}", one.get_name()).trim().to_owned();
                if one.has_subcommands() { leaves(one, &path) } else { vec![path] }
            })
            .collect()
    }

    #[test]
    fn every_command_has_examples_and_they_are_right() {
        for path in leaves(&Cli::command(), "") {
            let (_, lines) =
                EXAMPLES.iter().find(|known| known.0 == path).unwrap_or_else(|| panic!("{path}: no example"));
            for line in *lines {
                let words = words(line);
                let parsed = Cli::try_parse_from(&words);
                assert!(parsed.is_ok(), "{line}: {words:?}: {}", parsed.unwrap_err());
            }
        }
    }
}
