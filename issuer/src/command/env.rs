//! The one home of every environment variable. Each stands in for an option that is not given.

/// The manifest.
pub const CONFIG: &str = "VOUCH_ISSUER_CONFIG";
/// The directory with the database.
pub const DATA_DIR: &str = "VOUCH_ISSUER_DATA_DIR";
/// The public listener's address.
pub const LISTEN: &str = "VOUCH_ISSUER_LISTEN";
/// The private listener's address.
pub const PRIVATE_LISTEN: &str = "VOUCH_ISSUER_PRIVATE_LISTEN";
/// The certificate chain.
pub const TLS_CERT: &str = "VOUCH_ISSUER_TLS_CERT";
/// The private key of the certificate.
pub const TLS_KEY: &str = "VOUCH_ISSUER_TLS_KEY";
/// What goes to the log.
pub const LOG: &str = "VOUCH_ISSUER_LOG";
/// How the log looks.
pub const LOG_FORMAT: &str = "VOUCH_ISSUER_LOG_FORMAT";
/// The `VouchIssuer`, in a cluster.
pub const ISSUER: &str = "VOUCH_ISSUER_NAME";
/// The namespace of the `VouchIssuer`; pods get it from the downward API.
pub const NAMESPACE: &str = "POD_NAMESPACE";
