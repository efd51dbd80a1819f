//! What a run leaves behind: histograms, ledger, decisions, summary.
