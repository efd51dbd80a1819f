//! Many runs: seeds, pairing, confidence intervals, sweeps; the only threads.
