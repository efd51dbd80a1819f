//! Flags and variables of a server that are none, or have a value it does not take: it ends at its start, or goes on without them.

use names::distance;

use super::{Words, count};
use crate::manifest::workload::Engine;

/// Flags that take a whole number from 1 on, beside those that are read elsewhere.
const VLLM: [&str; 10] = [
    "--max-num-seqs",
    "--max-num-batched-tokens",
    "--max-model-len",
    "--tensor-parallel-size",
    "--pipeline-parallel-size",
    "--data-parallel-size",
    "--data-parallel-size-local",
    "--max-long-partial-prefills",
    "--max-num-partial-prefills",
    "--long-prefill-token-threshold",
];
const SGLANG: [&str; 4] =
    ["--max-running-requests", "--max-total-tokens", "--tensor-parallel-size", "--pipeline-parallel-size"];
const TGI: [&str; 7] = [
    "--max-concurrent-requests",
    "--max-batch-prefill-tokens",
    "--max-batch-total-tokens",
    "--max-batch-size",
    "--max-input-tokens",
    "--max-total-tokens",
    "--max-waiting-tokens",
];
const TEI: [&str; 4] =
    ["--max-concurrent-requests", "--max-batch-tokens", "--max-batch-requests", "--max-client-batch-size"];

/// Other flags of the engines, whose slips change an answer.
const VLLM_MORE: [&str; 16] = [
    "--enable-lora",
    "--max-cpu-loras",
    "--max-lora-rank",
    "--lora-modules",
    "--gpu-memory-utilization",
    "--served-model-name",
    "--kv-cache-dtype",
    "--enable-prefix-caching",
    "--enable-chunked-prefill",
    "--enforce-eager",
    "--disable-log-stats",
    "--disable-log-requests",
    "--scheduling-policy",
    "--performance-mode",
    "--speculative-config",
    "--shutdown-timeout",
];
const SGLANG_MORE: [&str; 8] = [
    "--mem-fraction-static",
    "--served-model-name",
    "--chunked-prefill-size",
    "--max-prefill-tokens",
    "--max-queued-requests",
    "--schedule-policy",
    "--enable-metrics",
    "--disable-radix-cache",
];
const TRITON: [&str; 5] =
    ["--model-repository", "--model-store", "--metrics-config", "--metrics-interval-ms", "--exit-timeout-secs"];

/// Variables that say how a server serves.
const NIM: [&str; 9] = [
    "NIM_MAX_NUM_SEQS",
    "NIM_MAX_MODEL_LEN",
    "NIM_TENSOR_PARALLEL_SIZE",
    "NIM_PIPELINE_PARALLEL_SIZE",
    "NIM_KVCACHE_PERCENT",
    "NIM_KV_CACHE_PERCENT",
    "NIM_MODEL_PROFILE",
    "NIM_SERVED_MODEL_NAME",
    "NIM_PASSTHROUGH_ARGS",
];
const OLLAMA: [&str; 6] = [
    "OLLAMA_NUM_PARALLEL",
    "OLLAMA_MAX_QUEUE",
    "OLLAMA_KEEP_ALIVE",
    "OLLAMA_MAX_LOADED_MODELS",
    "OLLAMA_CONTEXT_LENGTH",
    "OLLAMA_FLASH_ATTENTION",
];
const LLAMA_CPP: [&str; 3] = ["LLAMA_ARG_N_PARALLEL", "LLAMA_ARG_CTX_SIZE", "LLAMA_ARG_N_GPU_LAYERS"];

/// Letters by which a word may differ from a known one and still be a slip of it: longer names differ by more where they mean something else.
const SLIP: usize = 2;
/// Shorter words are too near to each other: `--tp-size`, `--dp-size`, `--ep-size`.
const LETTERS_MIN: usize = 12;

/// What is to be said of a server's words.
pub(crate) fn slips(words: &Words, engine: Engine) -> Vec<String> {
    let (numbers, others): (&[&str], &[&str]) = match engine {
        Engine::Vllm => (&VLLM, &VLLM_MORE),
        Engine::Sglang => (&SGLANG, &SGLANG_MORE),
        Engine::TextGenerationInference => (&TGI, &["--waiting-served-ratio", "--graceful-termination-timeout"]),
        Engine::TextEmbeddingsInference => (&TEI, &[]),
        Engine::Triton => (&[], &TRITON),
        _ => (&[], &[]),
    };
    let variables: Vec<String> = match engine {
        Engine::Nim => NIM.map(str::to_owned).to_vec(),
        Engine::Ollama => OLLAMA.map(str::to_owned).to_vec(),
        Engine::LlamaCpp => LLAMA_CPP.map(str::to_owned).to_vec(),
        Engine::TextGenerationInference | Engine::TextEmbeddingsInference => {
            numbers.iter().map(|flag| flag.trim_start_matches('-').replace('-', "_").to_uppercase()).collect()
        }
        _ => Vec::new(),
    };
    let known: Vec<&str> = numbers.iter().chain(others).copied().collect();
    let flags = words.flags();
    let mut notes: Vec<String> = flags.iter().filter_map(|flag| slip(flag, &known)).collect();
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    notes.extend(words.variables().filter_map(|name| slip(name, &variables)));
    notes.extend(numbers.iter().filter_map(|flag| {
        let (written, value) = words.flag(&[flag])?;
        (!is_count(&value))
            .then(|| format!("{written} {value}: not a whole number from 1 on, with which the server does not start"))
    }));
    if let Some((written, value)) = words.flag(&["--gpu-memory-utilization"])
        && !value.parse::<f64>().is_ok_and(|share| share > 0.0 && share <= 1.0)
    {
        notes.push(format!(
            "{written} {value}: a share between 0 and 1 is meant, with anything else the server does not start"
        ));
    }
    notes
}

fn slip(word: &str, known: &[&str]) -> Option<String> {
    let plain = if word.starts_with('-') { word.replace('_', "-") } else { word.to_owned() };
    let (switched, off) = (plain.replacen("--no-", "--", 1), plain.starts_with("--no-"));
    if word.len() < LETTERS_MIN || known.contains(&switched.as_str()) {
        return None;
    }
    let near = known.iter().find(|name| name.len() >= LETTERS_MIN && distance(&switched, name) <= SLIP)?;
    let near = if off { near.replacen("--", "--no-", 1) } else { (*near).to_owned() };
    Some(format!("nothing here reads {word}; did you mean {near}?"))
}

/// `8192`, and as vLLM takes them `8k`, `1.5k`, `auto` and -1; what stands in for a value that is not known is none of ours.
fn is_count(value: &str) -> bool {
    if value.contains('$') || ["auto", "-1"].contains(&value) {
        return true;
    }
    count(value).is_some_and(|number| number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    fn told(engine: Engine, container: &str) -> String {
        let words = Words::of(&parse_documents("a.yaml", container).expect("YAML")[0]);
        slips(&words, engine).join("\n")
    }

    #[test]
    fn slips_of_flags_and_variables_are_told_and_neighbours_are_not() {
        let vllm = told(
            Engine::Vllm,
            "{args: [--max-num-batchd-tokens, \"4096\", --max_num_seq=8, --no-enable-prefix-cachin]}",
        );
        assert_eq!(
            vllm,
            "nothing here reads --max-num-batchd-tokens; did you mean --max-num-batched-tokens?\n\
             nothing here reads --max_num_seq; did you mean --max-num-seqs?\n\
             nothing here reads --no-enable-prefix-cachin; did you mean --no-enable-prefix-caching?"
        );
        assert_eq!(
            told(Engine::Vllm, "{args: [--no-enable-prefix-caching, --max_num_seqs=8, --data-parallel-rank, \"0\"]}"),
            ""
        );
        assert!(
            told(Engine::Nim, "{env: [{name: NIM_MAX_NUM_SEQ, value: a}]}").contains("did you mean NIM_MAX_NUM_SEQS?")
        );
        let tgi = told(Engine::TextGenerationInference, "{env: [{name: MAX_BATCH_PREFIL_TOKENS, value: a}]}");
        assert!(tgi.contains("did you mean MAX_BATCH_PREFILL_TOKENS?"), "{tgi}");
    }

    #[test]
    fn values_no_server_takes_are_told() {
        let vllm = |args: &str| told(Engine::Vllm, &format!("{{args: [{args}]}}"));
        assert!(vllm("--max-num-seqs, many").contains("--max-num-seqs many: not a whole number"));
        assert!(vllm("--tensor-parallel-size=0").contains("--tensor-parallel-size 0: not a whole number"));
        assert!(vllm("--gpu-memory-utilization, \"90\"").contains("a share between 0 and 1"));
        assert_eq!(vllm("--max-model-len, 8k, --gpu-memory-utilization=0.9, --max-num-seqs, $(N)"), "");
    }
}
