//! What can be wrong with the answer of a security key, one sentence each.

use vouch_issuer_api::error::ErrorCode;
use webauthn_rs::prelude::WebauthnError;

/// Why the relying party does not accept what a key answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Not the bytes that WebAuthn prescribes.
    #[error("the answer of the security key is malformed")]
    Malformed,
    /// A registration where an assertion belongs, or the reverse.
    #[error("the answer of the security key is for another ceremony")]
    Ceremony,
    /// Signed over another challenge.
    #[error("the security key answered another challenge")]
    Challenge,
    /// Signed for another website: what a phishing site would obtain.
    #[error("the answer was made for another website than this issuer")]
    Origin,
    /// The key was asked in the name of another relying party.
    #[error("the answer was made for another relying party than this issuer")]
    RelyingParty,
    /// Nobody touched the key.
    #[error("the security key was not touched")]
    UserNotPresent,
    /// No PIN and no biometric: whoever holds the key could have made it.
    #[error("the security key did not verify its user; its PIN or fingerprint is required")]
    UserNotVerified,
    /// The signature does not fit the enrolled public key.
    #[error("the signature of the security key is wrong")]
    Signature,
    /// The counter did not rise: a copy of the key, or an assertion that was overtaken by a later one.
    #[error("the signature counter of the security key did not rise; the assertion is old, or the key was copied")]
    Counter,
    /// A key that could not be synchronised now can, or the reverse.
    #[error("the security key changed whether its credentials can leave it")]
    BackupChanged,
    /// The credential may leave the hardware.
    #[error("the credential can be synchronised to other devices; a hardware security key is required")]
    Synchronised,
    /// An algorithm that was not offered.
    #[error("the security key uses a signature algorithm that is not accepted here")]
    Algorithm,
    /// `none`, self-attestation, or a format that does not bind the user verification.
    #[error("the security key does not prove who made it")]
    NotAttested,
    /// The chain ends at no trusted anchor.
    #[error("the maker of the security key is not trusted here")]
    UntrustedMaker,
    /// The AAGUID is not in the allow-list, or not proven.
    #[error("this model of security key is not accepted here")]
    Model,
    /// The attestation statement contradicts itself.
    #[error("the attestation of the security key is wrong")]
    Attestation,
    /// The client left `credProtect` out, or the key lowered it.
    #[error("the credential is not protected by user verification (credProtect)")]
    Unprotected,
    /// A fault of the issuer.
    #[error("the issuer could not process the answer of the security key")]
    Internal,
}

impl KeyFault {
    /// What kind of refusal it is. Policy concerns the key; the rest concerns one answer of it.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Malformed => ErrorCode::InvalidRequest,
            Self::Ceremony
            | Self::Challenge
            | Self::Origin
            | Self::RelyingParty
            | Self::UserNotPresent
            | Self::UserNotVerified
            | Self::Signature
            | Self::Counter
            | Self::BackupChanged => ErrorCode::InvalidGrant,
            Self::Synchronised
            | Self::Algorithm
            | Self::NotAttested
            | Self::UntrustedMaker
            | Self::Model
            | Self::Attestation
            | Self::Unprotected => ErrorCode::KeyNotAccepted,
            Self::Internal => ErrorCode::ServerError,
        }
    }

    /// What the person can do.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Origin | Self::RelyingParty => {
                "Check that the issuer URL this machine is configured with is exactly the issuer's."
            }
            Self::UserNotVerified => "Set a PIN on the key and try again.",
            Self::Counter => "Try again. If it happens again, have this key removed and report it.",
            Self::BackupChanged => "Have this key removed, and enroll it again.",
            Self::Synchronised | Self::Algorithm | Self::NotAttested | Self::UntrustedMaker | Self::Model => {
                "Use a security key that your organisation accepts."
            }
            Self::Unprotected => "Update the client, or use a security key that supports credProtect.",
            Self::Malformed | Self::Ceremony | Self::Attestation => "Update the client and try again.",
            Self::Challenge | Self::Signature => {
                "Run the command again; if it happens again, tell your administrator: something between this machine and \
                 the issuer may be changing what is sent."
            }
            Self::UserNotPresent | Self::Internal => "Try again.",
        }
    }
}

impl From<WebauthnError> for KeyFault {
    /// Exhaustive on purpose: a new error of the library must be given a meaning here.
    fn from(error: WebauthnError) -> Self {
        use WebauthnError as E;
        match error {
            E::InvalidClientDataType => Self::Ceremony,
            E::MismatchedChallenge | E::ChallengeNotFound => Self::Challenge,
            E::InvalidRPOrigin | E::CredentialCrossOrigin => Self::Origin,
            E::InvalidRPIDHash => Self::RelyingParty,
            E::UserNotPresent => Self::UserNotPresent,
            E::UserNotVerified
            | E::InconsistentUserVerificationPolicy
            | E::SshPublicKeyInconsistentUserVerification => Self::UserNotVerified,
            E::AuthenticationFailure | E::SignatureInvalid => Self::Signature,
            E::CredentialPossibleCompromise
            | E::CredentialCounterUpdateFailure
            | E::CredentialCompromiseReportFailure => Self::Counter,
            E::CredentialBackupEligibilityInconsistent => Self::BackupChanged,
            E::CredentialMayNotBeHardwareBound | E::SshPublicKeyBackupState => Self::Synchronised,
            E::CredentialAlteredAlgFromRequest
            | E::CredentialInsecureCryptography
            | E::COSEKeyEDUnsupported
            | E::COSEKeyInvalidType
            | E::COSEKeyInvalidAlgorithm
            | E::COSEKeyECDSAInvalidCurve
            | E::COSEKeyEDDSAInvalidCurve
            | E::ECDSACurveInvalidNid
            | E::SshPublicKeyEDUnsupported
            | E::SshPublicKeyInvalidCurve => Self::Algorithm,
            E::AttestationNotSupported | E::AttestationNotVerifiable | E::AttestationStatementX5CMissing => {
                Self::NotAttested
            }
            E::AttestationTrustFailure
            | E::AttestationChainNotTrusted(_)
            | E::AttestationCertificateTrustStoreEmpty
            | E::AttestationLeafCertMissing
            | E::MissingAttestationCaList
            | E::TrustFailure => Self::UntrustedMaker,
            E::AttestationUntrustedAaguid
            | E::AttestationFormatMissingAaguid
            | E::AttestationCertificateAAGUIDMismatch => Self::Model,
            E::AttestationStatementMapInvalid
            | E::AttestationStatementResponseMissing
            | E::AttestationStatementResponseInvalid
            | E::AttestationStatementSigMissing
            | E::AttestationStatementSigInvalid
            | E::AttestationStatementVerMissing
            | E::AttestationStatementVerInvalid
            | E::AttestationStatementVerUnsupported
            | E::AttestationStatementX5CInvalid
            | E::AttestationStatementAlgMissing
            | E::AttestationStatementCertInfoMissing
            | E::AttestationStatementMissingExtension
            | E::AttestationStatementPubAreaMissing
            | E::AttestationStatementAlgMismatch
            | E::AttestationStatementAlgInvalid
            | E::AttestationCertificateNonceMismatch
            | E::AttestationTpmStInvalid
            | E::AttestationTpmPubAreaMismatch
            | E::AttestationTpmExtraDataInvalid
            | E::AttestationTpmExtraDataMismatch
            | E::AttestationTpmPubAreaHashUnknown
            | E::AttestationTpmPubAreaHashInvalid
            | E::AttestationTpmAttestCertifyInvalid
            | E::AttestationCertificateRequirementsNotMet
            | E::AttestationCredentialSubjectKeyMismatch
            | E::CertificatePublicKeyInvalid
            | E::CertificatePublicKeyAlgorthimMismatch
            | E::X509DerInvalid => Self::Attestation,
            E::InvalidExtensions
            | E::AuthenticatorDataMissingExtension
            | E::MissingAttestationCredentialData
            | E::ParseBase64Failure(_)
            | E::ParseCBORFailure(_)
            | E::ParseJSONFailure(_)
            | E::ParseNOMFailure
            | E::ParseInsufficientBytesAvailable
            | E::COSEKeyInvalidCBORValue
            | E::COSEKeyECDSAXYInvalid
            | E::COSEKeyRSANEInvalid
            | E::COSEKeyEDDSAXInvalid
            | E::EcdsaPointInvalid
            | E::RsaParametersInvalid
            | E::SshPublicKeyInvalidPubkey
            | E::InvalidUserUniqueId
            | E::CredentialNotFound => Self::Malformed,
            E::Configuration
            | E::ChallengePersistenceError
            | E::CredentialExistCheckError
            | E::CredentialAlreadyExists
            | E::CredentialPersistenceError
            | E::CredentialRetrievalError
            | E::CredentialExcludedFromRequest
            | E::InvalidUsername
            | E::HmacKeyInvalid => Self::Internal,
        }
    }
}
