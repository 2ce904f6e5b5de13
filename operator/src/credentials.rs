//! Why there are no credentials for the API server, in words that have no credential in them. The library's have: they quote
//! what the program that makes credentials wrote.

use kube::client::AuthError;

/// What a program that makes credentials wrote to standard error is its message; its standard output could be a token, and the
/// command line that kube tells of it has the values of its environment. A clause without a full stop.
#[must_use]
pub fn fault(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let failed = format!("the program that makes credentials failed with {}: {}", out.status, said.trim());
            failed.trim_end_matches([':', ' ']).to_owned()
        }
        AuthError::AuthExecParse(_) => "the program that makes credentials wrote something else".to_owned(),
        AuthError::AuthExecStart(error) => format!("the program that makes credentials does not start: {error}"),
        AuthError::ReadTokenFile(error, path) => format!("the token file {} cannot be read: {error}", path.display()),
        other => other.to_string(),
    }
}
