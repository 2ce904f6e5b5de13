//! Every public path of the issuer, in one place.

/// OpenID Connect Discovery 1.0 §4.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The JSON Web Key Set (RFC 7517 §5).
pub const JWKS: &str = "/.well-known/jwks.json";
/// `POST`: a fresh challenge for an assertion. Writes nothing.
pub const FIDO2_CHALLENGE: &str = "/oauth/fido2/challenge";
/// `POST`: the token endpoint (RFC 6749 §3.2).
pub const TOKEN: &str = "/oauth/token";
/// `POST`: trade an invite code for credential creation options.
pub const ENROLL_CHALLENGE: &str = "/v1/enroll/challenge";
/// `POST`: register the first key of an invited person.
pub const ENROLL: &str = "/v1/enroll";
/// `POST`: trade a fresh assertion for creation options of a further key.
pub const KEYS_CHALLENGE: &str = "/v1/keys/challenge";
/// `GET`: list own keys. `POST`: register a further key.
pub const KEYS: &str = "/v1/keys";
/// `PATCH`: rename. In axum's syntax.
pub const KEY: &str = "/v1/keys/{id}";
/// `POST`: trade a fresh assertion for the removal of a key. In axum's syntax.
pub const KEY_REMOVAL: &str = "/v1/keys/{id}/removal";
/// `GET`: who am I. `DELETE`: end every session of this person.
pub const SESSION: &str = "/v1/session";
/// `GET`: held open until the session ends or a time has passed.
pub const SESSION_WATCH: &str = "/v1/session/watch";
/// `POST`: an assertion for one role.
pub const AWS_TOKEN: &str = "/v1/aws/token";
/// `GET`: the roles the caller may take.
pub const AWS_ROLES: &str = "/v1/aws/roles";
