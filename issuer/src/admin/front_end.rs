//! The program through which an administrator speaks: what commands are called in the next step of a message.

use std::fmt;

/// The program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontEnd {
    /// `vouch-issuer`, on the database of an issuer that runs alone.
    VouchIssuer,
    /// `kubectl vouch`, in a cluster.
    KubectlVouch,
}

impl FrontEnd {
    /// Where a declaration is changed, and what makes the change take effect; in a cluster nothing else is needed.
    pub(super) const fn then_reload(self) -> &'static str {
        match self {
            Self::VouchIssuer => " in the manifest and reload the issuer (SIGHUP)",
            Self::KubectlVouch => " in the VouchIssuer",
        }
    }
}

/// As it is typed.
impl fmt::Display for FrontEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::VouchIssuer => "vouch-issuer",
            Self::KubectlVouch => "kubectl vouch",
        })
    }
}
