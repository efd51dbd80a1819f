//! Does what asks a running cluster say what went wrong, and does what was simulated come back out of a real Prometheus? A small server of
//! our own for the failures; Debian's Prometheus, started here, for the rest.

mod advise;
mod advise_by_hand;
mod faults;
mod kubectl;
mod prometheus;
mod round_trip;
mod served;
mod support;
