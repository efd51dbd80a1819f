//! scrape
/// placeholder
pub struct ScrapeTarget;
