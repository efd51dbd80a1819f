//! Why a name is no preset.

/// A preset that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PresetError {
    /// No row and no rough law has this name.
    #[error("no preset `{name}`{}; `scalelab calibrate presets` lists them", hint(near.as_deref()))]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name most likely meant.
        near: Option<String>,
    },
    /// The name leaves open on how many GPUs.
    #[error("`{name}` is one of several: {}", choices.join(", "))]
    Ambiguous {
        /// What was asked for.
        name: String,
        /// What it may be.
        choices: Vec<String>,
    },
    /// A mixture of experts without a row.
    #[error(
        "no preset of {model} on this GPU, number of GPUs and engine, and for a mixture of experts no rough law: how many experts wake \
         depends on the tokens in a pass; measure it (`scalelab calibrate service`)"
    )]
    Mixture {
        /// The model.
        model: &'static str,
    },
    /// A model whose passes are mostly launches of kernels.
    #[error(
        "no preset of {model} on this GPU, and below a billion parameters no rough law: launching kernels decides; measure it"
    )]
    TooSmall {
        /// The model.
        model: &'static str,
    },
    /// A number of GPUs for which nothing is known.
    #[error("no preset of this model on {tp} x {gpu}, and no rough law for so many of them")]
    NoRough {
        /// The GPU.
        gpu: &'static str,
        /// How many.
        tp: u32,
    },
    /// Another engine or type of weights than the rough law is about.
    #[error("no preset `{name}`, and the rough law is for vLLM with weights in 16 bits{}", hint(near.as_deref()))]
    OnlyPlain {
        /// What was asked for.
        name: String,
        /// The name most likely meant.
        near: Option<String>,
    },
}

fn hint(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}
