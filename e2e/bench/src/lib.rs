//! Benchmarks against limits and peers, as ratios of one run.
