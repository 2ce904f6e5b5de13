//! The one home of every environment variable. Each stands in for an option that is not given.

/// The namespaces whose objects are acted upon, separated by commas.
pub const NAMESPACES: &str = "VOUCH_OPERATOR_NAMESPACES";
/// Whether all namespaces are.
pub const CLUSTER: &str = "VOUCH_OPERATOR_CLUSTER";
/// The image of issuers.
pub const IMAGE: &str = "VOUCH_OPERATOR_ISSUER_IMAGE";
/// How many objects are worked on at once.
pub const CONCURRENCY: &str = "VOUCH_OPERATOR_CONCURRENCY";
/// Requests a second.
pub const QPS: &str = "VOUCH_OPERATOR_QPS";
/// Requests at once.
pub const BURST: &str = "VOUCH_OPERATOR_BURST";
/// For how long the lease holds.
pub const LEASE_DURATION: &str = "VOUCH_OPERATOR_LEASE_DURATION";
/// How long a renewal lets its holder write.
pub const LEASE_RENEW_DEADLINE: &str = "VOUCH_OPERATOR_LEASE_RENEW_DEADLINE";
/// From one look at the lease to the next.
pub const LEASE_RETRY_PERIOD: &str = "VOUCH_OPERATOR_LEASE_RETRY_PERIOD";
/// How long a request of the leader may take.
pub const REQUEST_TIMEOUT: &str = "VOUCH_OPERATOR_REQUEST_TIMEOUT";
/// The private listener's address.
pub const LISTEN: &str = "VOUCH_OPERATOR_LISTEN";
/// The address where the log's level can be changed.
pub const ADMIN_LISTEN: &str = "VOUCH_OPERATOR_ADMIN_LISTEN";
/// What goes to the log.
pub const LOG: &str = "VOUCH_OPERATOR_LOG";
/// How the log looks.
pub const LOG_FORMAT: &str = "VOUCH_OPERATOR_LOG_FORMAT";
/// The pod's name, by the downward API.
pub const POD_NAME: &str = "POD_NAME";
/// The pod's UID, by the downward API.
pub const POD_UID: &str = "POD_UID";
/// The pod's namespace, by the downward API.
pub const POD_NAMESPACE: &str = "POD_NAMESPACE";
