//! End-to-end tests on the unmodified binaries, and the demonstration.
