//! What a request is besides its time and its tokens.

/// Who asks, how urgently, and what the prompt begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tag {
    /// The conversation it is a turn of, from 1; 0: none. A turn's prompt begins with the whole of the turn before it, answer included.
    pub session: u32,
    /// The prompt that all of a group begin with, from 1; 0: none.
    pub group: u32,
    /// Tokens of that prompt.
    pub group_tokens: u32,
    /// For the router's hold queue. Larger is sooner, as llm-d's endpoint picker has it; below 0 may be turned away first.
    pub priority: i32,
    /// For the engine's queue, if it goes by priority. Smaller is sooner, as vLLM has it.
    pub engine_priority: i32,
    /// The adapter it is for, from 1; 0: none, the base model itself.
    pub adapter: u32,
}
