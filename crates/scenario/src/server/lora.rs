//! What the command line of vLLM says of adapters (LoRA).

use super::{Words, count};

/// Flags of adapters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoraFlags {
    /// `--max-loras`.
    pub max_active: Option<u32>,
    /// `--max-cpu-loras`.
    pub max_cpu: Option<u32>,
    /// How many `--lora-modules` names.
    pub modules: Option<u32>,
    /// The flags, as written.
    pub said: String,
    /// What was read and is not modelled.
    pub notes: Vec<String>,
}

/// Those of a server; `None` unless it has adapters.
pub(super) fn lora_flags(words: &Words) -> Option<LoraFlags> {
    if words.switch("--enable-lora") != Some(true) {
        return None;
    }
    let mut flags = LoraFlags {
        max_active: None,
        max_cpu: None,
        modules: None,
        said: "--enable-lora".to_owned(),
        notes: Vec::new(),
    };
    for (flag, place) in [("--max-loras", &mut flags.max_active), ("--max-cpu-loras", &mut flags.max_cpu)] {
        let Some((written, value)) = words.flag(&[flag]) else { continue };
        match count(&value) {
            Some(number) => {
                *place = Some(number);
                flags.said += &format!(", {written} {value}");
            }
            None => flags.notes.push(format!("{written} {value}: not understood, the engine's default counts")),
        }
    }
    if let Some((written, value)) = words.flag(&["--max-lora-rank"]) {
        flags.said += &format!(", {written} {value}");
        flags.notes.push(format!(
            "{written} {value}: what adapters of that rank take is for `continuousBatching.adapters` (`size`, `stepOverhead`) to say, and the memory \
             that vLLM sets aside for the slots for `kvTokens`"
        ));
    }
    let modules = words.values("--lora-modules");
    if !modules.is_empty() {
        flags.modules = u32::try_from(modules.len()).ok();
        flags.said += &format!(", {} --lora-modules", modules.len());
        flags.notes.push(
            "--lora-modules: vLLM loads them when it starts; here each is loaded when a request first needs it"
                .to_owned(),
        );
    }
    Some(flags)
}

/// What flags of adapters come to where adapters are off.
pub(super) fn idle_lora_flags(words: &Words) -> Option<String> {
    if words.switch("--enable-lora") == Some(true) {
        return None;
    }
    let flags = ["--lora-modules", "--max-loras", "--max-cpu-loras", "--max-lora-rank"];
    let written: Vec<&str> = flags.into_iter().filter(|flag| words.flag(&[flag]).is_some()).collect();
    (!written.is_empty()).then(|| format!("{}: without --enable-lora vLLM has no adapters", written.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse_documents;

    fn read(args: &str) -> Option<LoraFlags> {
        lora_flags(&Words::of(&parse_documents("a.yaml", &format!("{{args: [{args}]}}")).expect("YAML")[0]))
    }

    #[test]
    fn slots_places_and_modules_are_read_where_adapters_are_on() {
        let flags = read(
            "--enable-lora, --max-loras=4, --max_cpu_loras, \"32\", --lora-modules, a=/a, b=/b, --port, \"8\", --lora-modules, c=/c",
        );
        let flags = flags.expect("adapters are on");
        assert_eq!((flags.max_active, flags.max_cpu, flags.modules), (Some(4), Some(32), Some(3)));
        assert_eq!(flags.said, "--enable-lora, --max-loras 4, --max_cpu_loras 32, 3 --lora-modules");
        let ranked = read("--enable-lora, --max-lora-rank=64").expect("on");
        assert_eq!((ranked.said.as_str(), ranked.notes.len()), ("--enable-lora, --max-lora-rank 64", 1));
        assert_eq!(read("--max-loras=4"), None);
        assert_eq!(read("--enable-lora, --max-loras=many").expect("on").notes.len(), 1);
    }
}
