//! The words a container is started with: command and arguments as the shell or the kubelet hands them on.

use std::collections::BTreeMap;

use crate::tree::Node;

/// Command line and environment of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    line: Vec<String>,
    environment: Vec<(String, String)>,
    /// Command and arguments as the manifest has them, scripts too.
    given: String,
    /// A script or a here-document starts the server: its words are not known.
    pub is_script: bool,
}

impl Words {
    /// Of a container; what a Secret or a file holds is not known.
    pub fn of(container: &Node) -> Self {
        let list = |key: &str| container.get(key).map(Node::items).unwrap_or_default();
        let mut environment: Vec<(String, String)> = Vec::new();
        for entry in list("env") {
            if let (Some(name), Some(value)) =
                (entry.get("name").and_then(Node::text), entry.get("value").and_then(Node::text))
            {
                let value = kubelet_expanded(value, &environment);
                environment.push((name.to_owned(), value));
            }
        }
        let given: Vec<String> = list("command")
            .iter()
            .chain(list("args"))
            .filter_map(Node::text)
            .map(|word| kubelet_expanded(word, &environment))
            .collect();
        let whole = given.join(" ").to_lowercase();
        let (words, is_script) = match given.as_slice() {
            [shell, flag, line, ..] if is_shell(shell) && flag.starts_with('-') && flag.ends_with('c') => {
                simple_command(line, &environment)
            }
            [shell, script, ..] if is_shell(shell) && !script.starts_with('-') => (Vec::new(), true),
            _ => (given, false),
        };
        Self { line: words, environment, given: whole, is_script }
    }

    /// The command line, then the variables as `NAME=value`; `None` if nothing is given, or a script hides it.
    pub fn all(&self) -> Option<Vec<String>> {
        let variables = self.environment.iter().map(|(name, value)| format!("{name}={value}"));
        (!self.is_script && !self.is_empty()).then(|| self.line.iter().cloned().chain(variables).collect())
    }

    /// The flags of the command line, as written.
    pub fn flags(&self) -> Vec<&str> {
        let is_flag = |word: &&str| word.starts_with("--") && word.len() > 2;
        self.line
            .iter()
            .map(|word| word.split_once('=').map_or(word.as_str(), |(name, _)| name))
            .filter(is_flag)
            .collect()
    }

    /// Names of the variables whose values stand in the manifest.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        self.environment.iter().map(|(name, _)| name.as_str())
    }

    /// Whether this stands anywhere in command and arguments, in a script within them too; small letters.
    pub fn mentions(&self, part: &str) -> bool {
        self.given.contains(part)
    }

    /// Flags that are given more than once with different values, with these in order. Those that may stand several times are none.
    pub fn repeated(&self) -> Vec<(String, Vec<String>)> {
        let mut given: BTreeMap<String, (String, Vec<String>)> = BTreeMap::new();
        for (index, word) in self.line.iter().enumerate() {
            let (written, value) =
                word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let plain = written.replace('_', "-");
            let is_flag = plain.starts_with("--") || ALIASES.iter().any(|(short, _)| *short == plain);
            let next = self.line.get(index + 1).map(String::as_str).filter(|next| !next.starts_with("--"));
            let Some(value) = value.or(next).filter(|_| is_flag && !SEVERAL.contains(&plain.as_str())) else {
                continue;
            };
            let long = ALIASES.iter().find(|(short, _)| *short == plain).map_or(plain.as_str(), |(_, long)| long);
            let entry = given.entry(long.to_owned()).or_insert_with(|| (written.to_owned(), Vec::new()));
            entry.1.push(value.to_owned());
        }
        given.into_values().filter(|(_, values)| values.iter().any(|value| *value != values[0])).collect()
    }

    /// True if neither words nor variables are given.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty() && self.environment.is_empty()
    }

    /// The value of the last of these flags, and the flag as written: `--flag value`, `--flag=value`; `_` is as good as `-`.
    pub fn flag(&self, names: &[&str]) -> Option<(String, String)> {
        (0..self.line.len()).rev().find_map(|index| {
            let word = &self.line[index];
            let (name, value) =
                word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value.to_owned())));
            if !names.contains(&name.replace('_', "-").as_str()) {
                return None;
            }
            let value = value.or_else(|| self.line.get(index + 1).filter(|next| !next.starts_with("--")).cloned())?;
            Some((name.to_owned(), value))
        })
    }

    /// All values of a flag that takes several: `--flag a b`, `--flag=a`, as often as it stands.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let mut found = Vec::new();
        let mut is_open = false;
        for word in &self.line {
            if word.starts_with('-') {
                let (plain, value) =
                    word.split_once('=').map_or((word.as_str(), None), |(plain, value)| (plain, Some(value)));
                is_open = plain.replace('_', "-") == name;
                found.extend(value.filter(|_| is_open));
            } else if is_open {
                found.push(word.as_str());
            }
        }
        found
    }

    /// The model of `vllm serve MODEL` and of whatever else serves what stands behind the word.
    pub fn served(&self) -> Option<String> {
        let after = self.line.iter().position(|word| word == "serve")? + 1;
        self.line.get(after).filter(|word| !word.starts_with('-')).cloned()
    }

    /// Whether a switch is on: `--x` or `--no-x`, the last one counts; `None` where neither is given.
    pub fn switch(&self, name: &str) -> Option<bool> {
        let off = format!("--no-{}", name.trim_start_matches("--"));
        self.line.iter().rev().find_map(|word| {
            let (plain, value) = word.split_once('=').unwrap_or((word, "true"));
            let plain = plain.replace('_', "-");
            if plain == name { Some(!value.eq_ignore_ascii_case("false")) } else { (plain == off).then_some(false) }
        })
    }

    /// A variable of the environment, if its value stands in the manifest.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Short forms of flags of the servers that are read here.
const ALIASES: [(&str, &str); 10] = [
    ("-tp", "--tensor-parallel-size"),
    ("-pp", "--pipeline-parallel-size"),
    ("-dp", "--data-parallel-size"),
    ("--tp", "--tp-size"),
    ("--pp", "--pp-size"),
    ("--dp", "--dp-size"),
    ("-np", "--parallel"),
    ("-c", "--ctx-size"),
    ("-b", "--batch-size"),
    ("-ub", "--ubatch-size"),
];

/// Flags whose values add up: vLLM's lists, Triton's settings, adapters of llama.cpp.
const SEVERAL: [&str; 16] = [
    "--middleware",
    "--lora-modules",
    "--prompt-adapters",
    "--allowed-origins",
    "--chat-template-kwargs",
    "--model-repository",
    "--load-model",
    "--backend-config",
    "--metrics-config",
    "--trace-config",
    "--cache-config",
    "--host-policy",
    "--rate-limit-resource",
    "--lora",
    "--override-kv",
    "--api-key",
];

/// Words by which the command that starts a server is told from those beside it.
const SERVERS: [&str; 12] = [
    "vllm",
    "sglang",
    "text-generation-launcher",
    "text-embeddings-router",
    "tritonserver",
    "trtllm-serve",
    "llama-server",
    "ollama serve",
    "lmdeploy",
    "infinity_emb",
    "huggingfaceserver",
    "dynamo.",
];

fn is_shell(word: &str) -> bool {
    ["sh", "bash", "dash", "ash"].contains(&word.rsplit('/').next().unwrap_or(word))
}

/// `$(NAME)` by earlier variables; an unknown one stays as it is and `$$(` is a plain `$(`.
fn kubelet_expanded(text: &str, environment: &[(String, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("$(") {
        let (before, after) = rest.split_at(at);
        if let Some(plain) = before.strip_suffix('$') {
            out += plain;
            out += "$(";
            rest = &after[2..];
            continue;
        }
        out += before;
        let end = after.find(')');
        let known = end.and_then(|end| environment.iter().rev().find(|(name, _)| *name == after[2..end]));
        if let (Some(end), Some((_, value))) = (end, known) {
            out += value;
            rest = &after[end + 1..];
        } else {
            out += "$(";
            rest = &after[2..];
        }
    }
    out + rest
}

/// The words of the command that a line of shell ends in, variables filled in; true if it cannot be told.
fn simple_command(line: &str, environment: &[(String, String)]) -> (Vec<String>, bool) {
    if line.contains("<<") {
        return (Vec::new(), true);
    }
    let joined = line.replace("\\\n", " ");
    let lines = joined.lines().map(|line| line.split(" #").next().unwrap_or(line).trim());
    let commands = lines.filter(|line| !line.starts_with('#') && !line.is_empty());
    let parts: Vec<&str> =
        commands.flat_map(|line| line.split("&&")).flat_map(|part| part.split(';')).map(str::trim).collect();
    let heads = ["cd", "export", "set", "source", ".", "echo", "mkdir", "pip", "sleep", "ulimit"];
    let is_server = |part: &&&str| part.split_whitespace().next().is_some_and(|head| !heads.contains(&head));
    let is_known = |part: &&&str| is_server(part) && SERVERS.iter().any(|name| part.contains(name));
    let found = parts.iter().rfind(is_known).or_else(|| parts.iter().rfind(is_server));
    let Some(server) = found else { return (Vec::new(), true) };
    let exports: Vec<(String, String)> = parts
        .iter()
        .filter_map(|part| {
            let (name, value) = part.strip_prefix("export ")?.split_once('=')?;
            Some((name.trim().to_owned(), value.trim_matches(['"', '\'']).to_owned()))
        })
        .collect();
    let all: Vec<(String, String)> = environment.iter().cloned().chain(exports).collect();
    (split(server, &all), false)
}

/// Splits as a shell does: quotes, escapes, `$NAME`, `${NAME}`, `${NAME:-default}`; no globbing.
fn split(line: &str, environment: &[(String, String)]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut is_open = false;
    let mut quote = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\'' | '"', None) => (quote, is_open) = (Some(letter), true),
            (letter, Some(open)) if letter == open => quote = None,
            ('\\', None | Some('"')) => word.extend(letters.next()),
            ('$', None | Some('"')) => {
                let mut name = String::new();
                let is_braced = letters.next_if_eq(&'{').is_some();
                let is_part = |letter: &char| {
                    if is_braced { *letter != '}' } else { letter.is_ascii_alphanumeric() || *letter == '_' }
                };
                while let Some(part) = letters.next_if(is_part) {
                    name.push(part);
                }
                if is_braced {
                    letters.next();
                }
                let (name, default) = name.split_once(":-").unwrap_or((&name, ""));
                let known = environment.iter().rev().find(|(known, _)| known == name);
                word += known.map_or(default, |(_, value)| value);
            }
            (letter, None) if letter.is_whitespace() => {
                if is_open || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                is_open = false;
            }
            (letter, _) => word.push(letter),
        }
    }
    if is_open || !word.is_empty() {
        words.push(word);
    }
    // `exec` and assignments stand before the command.
    let first = words.iter().position(|word| word != "exec" && !is_assignment(word)).unwrap_or(words.len());
    words.split_off(first)
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    fn words(container: &str) -> Words {
        Words::of(&parse_documents("a.yaml", container).expect("YAML")[0])
    }

    #[test]
    fn a_flag_is_found_however_it_is_written_and_the_last_one_counts() {
        for container in [
            "{args: [--max-num-seqs, \"24\"]}",
            "{args: [\"--max_num_seqs=24\"]}",
            "{command: [sh, -c, \"cd /x && exec vllm serve m --max-num-seqs ${SEQS:-24}\"]}",
            "{args: [\"--max-num-seqs=$(SEQS)\"], env: [{name: SEQS, value: \"24\"}]}",
            "{args: [--max-num-seqs, \"8\", --max-num-seqs, \"24\"]}",
        ] {
            let found = words(container).flag(&["--max-num-seqs"]).map(|(_, value)| value);
            assert_eq!(found.as_deref(), Some("24"), "{container}");
        }
    }

    #[test]
    fn a_flag_that_is_given_twice_is_told_unless_it_may_be() {
        let repeated = |args: &str| words(&format!("{{args: {args}}}")).repeated();
        let told = |flag: &str, values: [&str; 2]| vec![(flag.to_owned(), values.map(str::to_owned).to_vec())];
        assert_eq!(repeated("[--max-num-seqs, \"8\", --max_num_seqs=24]"), told("--max-num-seqs", ["8", "24"]));
        assert_eq!(repeated("[-tp, \"2\", --tensor-parallel-size, \"4\"]"), told("-tp", ["2", "4"]));
        assert_eq!(repeated("[--port, \"80\", --port=80, --lora, a, --lora, b, --enable-x, --enable-x]"), []);
    }

    #[test]
    fn the_server_is_found_among_other_commands() {
        let line = "vllm serve m --max-num-seqs 4 & \nPID=$!; trap 'kill $PID' TERM; wait $PID";
        assert_eq!(simple_command(line, &[]).0[..3], ["vllm", "serve", "m"]);
    }

    #[test]
    fn a_switch_can_be_switched_off_again() {
        assert_eq!(words("{args: [--enforce-eager]}").switch("--enforce-eager"), Some(true));
        assert_eq!(words("{args: [--no-enable-prefix-caching]}").switch("--enable-prefix-caching"), Some(false));
        assert_eq!(words("{args: [--x]}").switch("--enforce-eager"), None);
    }

    #[test]
    fn the_kubelet_leaves_what_it_does_not_know() {
        let environment = [("A".to_owned(), "1".to_owned())];
        assert_eq!(kubelet_expanded("$(A) $(B) $$(A)", &environment), "1 $(B) $(A)");
    }

    #[test]
    fn a_script_says_nothing() {
        assert!(words("{command: [bash, /opt/start.sh]}").is_script);
        assert!(words("{command: [bash, -c, \"cat <<EOF\\nx\\nEOF\"]}").is_script);
    }

    #[test]
    fn quotes_and_line_breaks_are_the_shells() {
        let line = "# start\nexport SEQS=4\nvllm serve 'a b' \\\n  --max-num-seqs \"$SEQS\"";
        let (words, is_script) = simple_command(line, &[]);
        assert_eq!(
            (words.as_slice(), is_script),
            (["vllm", "serve", "a b", "--max-num-seqs", "4"].map(str::to_owned).as_slice(), false)
        );
    }
}
