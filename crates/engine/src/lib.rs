//! Clock, pending-event set and loop of a discrete-event simulation.
