//! PromQL over a bounded ring of scraped samples, and the simulated scrape.
