//! Quotas of an account (`GetAccountSummary`, recorded).

/// Characters of a trust policy, white space apart.
pub(super) const ASSUME_ROLE_POLICY_SIZE: usize = 2048;
/// Characters of all inline policies of a role, white space apart.
pub(super) const ROLE_POLICY_SIZE: usize = 10240;
/// Characters of a managed policy, white space apart.
pub(super) const POLICY_SIZE: usize = 6144;
/// Versions of a managed policy.
pub(super) const VERSIONS_PER_POLICY: usize = 5;
/// Managed policies attached to a role.
pub(super) const ATTACHED_POLICIES_PER_ROLE: usize = 20;
/// Roles of an account.
pub(super) const ROLES: usize = 1000;
/// Customer-managed policies of an account.
pub(super) const POLICIES: usize = 1500;
/// Identity providers of an account.
pub(super) const PROVIDERS: usize = 100;
/// Client ids of a provider.
pub(super) const CLIENT_IDS: usize = 100;
/// Thumbprints of a provider.
pub(super) const THUMBPRINTS: usize = 5;
/// Tags of an object.
pub(super) const TAGS: usize = 50;

/// The size of a document as quotas count it.
pub(super) fn size(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}
