//! A security key in software, honest unless a test says otherwise.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::{
    digest::{SHA256, digest},
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ciborium::value::Value;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
};
use uuid::Uuid;
use webauthn_rs_proto::{
    AuthenticatorAssertionResponseRaw, AuthenticatorAttestationResponseRaw, AuthenticatorTransport,
    CreationChallengeResponse, PublicKeyCredential, RegisterPublicKeyCredential, RequestChallengeResponse,
};

/// The relying party of all tests.
pub(crate) const ISSUER: &str = "https://vouch.example.com";
/// The model that makers certify unless told otherwise.
pub(crate) const AAGUID: Uuid = Uuid::from_u128(0x2fc0_579f_8113_47ea_b116_bb5a_8db9_202a);

/// Makes keys with an attestation certificate.
pub(crate) struct Maker {
    /// Its root, DER.
    pub(crate) root: Vec<u8>,
    /// The model its certificate states.
    pub(crate) aaguid: Uuid,
    leaf: Vec<u8>,
    key: EcdsaKeyPair,
}

impl Maker {
    pub(crate) fn new() -> Self {
        Self::of_model(AAGUID)
    }

    pub(crate) fn of_model(aaguid: Uuid) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("Test attestation root {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = params.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(params, root_key);

        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "SE");
        params.distinguished_name.push(DnType::OrganizationName, "Test maker");
        params.distinguished_name.push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        params.distinguished_name.push(DnType::CommonName, "Test attestation");
        params.is_ca = IsCa::ExplicitNoCa;
        let octets = [&[0x04, 0x10], aaguid.as_bytes().as_slice()].concat();
        params.custom_extensions.push(CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 45724, 1, 1, 4], octets));
        let leaf = params.signed_by(&leaf_key, &issuer).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &leaf_key.serialize_der()).unwrap();
        Self { root: root.der().to_vec(), aaguid, leaf: leaf.der().to_vec(), key }
    }
}

/// How a key proves its maker.
pub(crate) enum Attestation {
    Nothing,
    Itself,
    Packed(Maker),
    /// The format of U2F, which signs neither flags nor extensions.
    U2f(Maker),
}

/// A security key with one credential.
pub(crate) struct SecurityKey {
    pair: EcdsaKeyPair,
    pub(crate) credential_id: Vec<u8>,
    pub(crate) user_handle: Option<Vec<u8>>,
    pub(crate) attestation: Attestation,
    /// The model in its answers.
    pub(crate) aaguid: Uuid,
    pub(crate) counter: u32,
    /// Whether the counter counts.
    pub(crate) counts: bool,
    pub(crate) user_present: bool,
    pub(crate) user_verified: bool,
    pub(crate) backup_eligible: bool,
    pub(crate) cred_protect: Option<u8>,
    /// What its client claims.
    pub(crate) origin: String,
    /// What its client asks it for; the options' own when `None`.
    pub(crate) rp_id: Option<String>,
    pub(crate) cross_origin: bool,
}

impl SecurityKey {
    pub(crate) fn new(attestation: Attestation) -> Self {
        let mut credential_id = vec![0; 32];
        aws_lc_rs::rand::fill(&mut credential_id).unwrap();
        let aaguid = match &attestation {
            Attestation::Packed(maker) | Attestation::U2f(maker) => maker.aaguid,
            Attestation::Nothing | Attestation::Itself => AAGUID,
        };
        Self {
            pair: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
            credential_id,
            user_handle: None,
            attestation,
            aaguid,
            counter: 0,
            counts: true,
            user_present: true,
            user_verified: true,
            backup_eligible: false,
            cred_protect: Some(3),
            origin: ISSUER.to_owned(),
            rp_id: None,
            cross_origin: false,
        }
    }

    pub(crate) fn unattested() -> Self {
        Self::new(Attestation::Nothing)
    }

    /// `navigator.credentials.create()`.
    pub(crate) fn register(&mut self, options: &CreationChallengeResponse) -> RegisterPublicKeyCredential {
        let options = &options.public_key;
        self.user_handle = Some(options.user.id.clone());
        let client_data = self.client_data("webauthn.create", &options.challenge);
        let auth_data = self.auth_data(&options.rp.id, Some(()));
        let (format, statement) = self.statement(&options.rp.id, &auth_data, digest(&SHA256, &client_data).as_ref());
        let object = cbor(&map([
            (text("fmt"), text(format)),
            (text("attStmt"), statement),
            (text("authData"), Value::Bytes(auth_data)),
        ]));
        RegisterPublicKeyCredential {
            id: URL_SAFE_NO_PAD.encode(&self.credential_id),
            raw_id: self.credential_id.clone(),
            response: AuthenticatorAttestationResponseRaw {
                attestation_object: object,
                client_data_json: client_data,
                transports: Some(vec![AuthenticatorTransport::Usb]),
            },
            type_: "public-key".to_owned(),
            extensions: webauthn_rs_proto::RegistrationExtensionsClientOutputs::default(),
        }
    }

    /// `navigator.credentials.get()`.
    pub(crate) fn assert(&mut self, options: &RequestChallengeResponse) -> PublicKeyCredential {
        let options = &options.public_key;
        let client_data = self.client_data("webauthn.get", &options.challenge);
        let auth_data = self.auth_data(&options.rp_id, None);
        let signed = [auth_data.as_slice(), digest(&SHA256, &client_data).as_ref()].concat();
        PublicKeyCredential {
            id: URL_SAFE_NO_PAD.encode(&self.credential_id),
            raw_id: self.credential_id.clone(),
            response: AuthenticatorAssertionResponseRaw {
                authenticator_data: auth_data,
                client_data_json: client_data,
                signature: sign(&self.pair, &signed),
                user_handle: self.user_handle.clone(),
            },
            type_: "public-key".to_owned(),
            extensions: webauthn_rs_proto::AuthenticationExtensionsClientOutputs::default(),
        }
    }

    fn client_data(&self, ceremony: &str, challenge: &[u8]) -> Vec<u8> {
        serde_json::json!({
            "type": ceremony, "challenge": URL_SAFE_NO_PAD.encode(challenge), "origin": self.origin,
            "crossOrigin": self.cross_origin,
        })
        .to_string()
        .into_bytes()
    }

    /// WebAuthn §6.1; with attested credential data in a registration.
    fn auth_data(&mut self, rp_id: &str, registration: Option<()>) -> Vec<u8> {
        if self.counts {
            self.counter += 1;
        }
        let rp_id = self.rp_id.as_deref().unwrap_or(rp_id);
        let extensions = registration.and(self.cred_protect);
        let flags = u8::from(self.user_present)
            | u8::from(self.user_verified) << 2
            | u8::from(self.backup_eligible) << 3
            | u8::from(registration.is_some()) << 6
            | u8::from(extensions.is_some()) << 7;
        let mut data = digest(&SHA256, rp_id.as_bytes()).as_ref().to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        if registration.is_some() {
            data.extend(self.aaguid.as_bytes());
            data.extend(u16::try_from(self.credential_id.len()).unwrap().to_be_bytes());
            data.extend(&self.credential_id);
            data.extend(self.cose_key());
        }
        if let Some(level) = extensions {
            data.extend(cbor(&map([(text("credProtect"), Value::from(level))])));
        }
        data
    }

    fn cose_key(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        cbor(&map([
            (Value::from(1), Value::from(2)),
            (Value::from(3), Value::from(-7)),
            (Value::from(-1), Value::from(1)),
            (Value::from(-2), Value::Bytes(point[1..33].to_vec())),
            (Value::from(-3), Value::Bytes(point[33..].to_vec())),
        ]))
    }

    fn statement(&self, rp_id: &str, auth_data: &[u8], client_data_hash: &[u8]) -> (&'static str, Value) {
        let signed = [auth_data, client_data_hash].concat();
        let chain = |maker: &Maker| Value::Array(vec![Value::Bytes(maker.leaf.clone())]);
        match &self.attestation {
            Attestation::Nothing => ("none", map([])),
            Attestation::Itself => {
                let signature = Value::Bytes(sign(&self.pair, &signed));
                ("packed", map([(text("alg"), Value::from(-7)), (text("sig"), signature)]))
            }
            Attestation::Packed(maker) => {
                let signature = Value::Bytes(sign(&maker.key, &signed));
                let statement =
                    map([(text("alg"), Value::from(-7)), (text("sig"), signature), (text("x5c"), chain(maker))]);
                ("packed", statement)
            }
            Attestation::U2f(maker) => {
                let rp_id_hash = digest(&SHA256, rp_id.as_bytes());
                let point = self.pair.public_key().as_ref();
                let signed = [&[0], rp_id_hash.as_ref(), client_data_hash, &self.credential_id, point].concat();
                let signature = Value::Bytes(sign(&maker.key, &signed));
                ("fido-u2f", map([(text("sig"), signature), (text("x5c"), chain(maker))]))
            }
        }
    }
}

fn sign(pair: &EcdsaKeyPair, message: &[u8]) -> Vec<u8> {
    pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn map<const N: usize>(entries: [(Value, Value); N]) -> Value {
    Value::Map(entries.into())
}

fn cbor(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}
