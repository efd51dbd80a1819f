//! PromQL over a bounded ring of scraped samples, and the simulated scrape.

pub mod adapter {
    //! prometheus-adapter rules (placeholder until the crate's own branch lands).

    /// A prometheus-adapter configuration as written.
    #[derive(Clone, Debug, Default)]
    pub struct AdapterConfig {}
}
