//! The signing-key set: states, the pure rotation planner, JWKS, signing.
