//! What a run leaves behind: latency histograms, the cost ledger, timeline, decisions, lives, and the summary of them.
//!
//! It does not know the engine, the cluster, any policy type or file format: every field is plain data that `cluster` fills, `lab`
//! pools and `report` prints.

mod budget;
mod comparison;
mod decision;
mod histogram;
mod ledger;
mod life;
mod metric;
mod occupancy;
mod rollout;
mod run;
mod service;
mod summary;
mod timeline;

pub use budget::{BUDGET_WINDOW, BudgetDetail, BudgetStretch, BudgetWindow, ErrorBudget};
pub use comparison::{Comparison, Verdict};
pub use decision::{DecisionRow, MetricRow, StepRow};
pub use histogram::Histogram;
pub use ledger::{CostLedger, GpuUse, LedgerLine, Purchase};
pub use life::{NodeLife, PhaseSpan, ReplicaLife, WaitSpan};
pub use metric::{MetricOutcome, MetricUse};
pub use occupancy::{KvUse, Occupancy, QueueUse};
pub use rollout::{RolloutLife, RolloutStage};
pub use run::{RequestRow, RequestTotals, RunRecord, ScalingTotals, ServiceTotals, TokenLatency};
pub use service::ServiceRecord;
pub use summary::{Interval, PolicySummary, ReplicationSummary};
pub use timeline::TimelineRow;
