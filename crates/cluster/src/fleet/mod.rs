//! Nodes, pods on them, cold starts, interruptions and the bill.
