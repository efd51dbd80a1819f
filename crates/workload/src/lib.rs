//! Demand and dice: arrival processes, traces in memory, distributions, random streams.
