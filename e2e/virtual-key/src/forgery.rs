//! A key at fault: between the firmware and the client it rewrites what is asked and what is answered.
//!
//! What it rewrites it signs again, with the secret that signed before, read out of the simulated flash memory: a real
//! key with the fault could not be told from it. It must never change anything that no fault names.

use std::io::Cursor;

use ciborium::value::Value;
use littlefs2::{object_safe::DynFilesystem, path};
use p256::{
    SecretKey,
    ecdsa::{
        Signature, SigningKey,
        signature::{Signer as _, Verifier as _},
    },
};
use sha2::{Digest as _, Sha256};

use crate::{attestation::KEY_FILE_HEADER, fault::Fault};

/// CTAP 2.1 §6.1 and §6.2, and the members of their requests and answers.
const MAKE_CREDENTIAL: u8 = 0x01;
const GET_ASSERTION: u8 = 0x02;
const OK: u8 = 0x00;
/// `clientDataHash`, `extensions` of makeCredential; `clientDataHash` of getAssertion.
const MAKE_CLIENT_DATA_HASH: i64 = 1;
const MAKE_EXTENSIONS: i64 = 6;
const GET_CLIENT_DATA_HASH: i64 = 2;
/// `authData` and `attStmt` of an attestation; `authData`, `signature` and `user` of an assertion.
const AUTH_DATA: i64 = 2;
const STATEMENT: i64 = 3;
const SIGNATURE: i64 = 3;
const USER: i64 = 4;

/// Authenticator data (WebAuthn Level 3 §6.1): where the flags are, and the one for "user verified".
const RP_ID_HASH_LEN: usize = 32;
const FLAGS: usize = RP_ID_HASH_LEN;
const USER_VERIFIED: u8 = 0x04;

/// The faults of a key, and the flash memory with its secrets.
pub(crate) struct Forgery<'a> {
    pub(crate) faults: &'a [Fault],
    pub(crate) flash: &'a dyn DynFilesystem,
}

impl Forgery<'_> {
    /// What the firmware gets to see of a request.
    pub(crate) fn request(&self, request: &[u8]) -> Vec<u8> {
        self.without_protection(request).unwrap_or_else(|| request.to_vec())
    }

    /// What the client gets to see of an answer.
    pub(crate) fn answer(&self, request: &[u8], answer: Vec<u8>) -> Vec<u8> {
        self.rewritten(request, &answer).unwrap_or(answer)
    }

    fn without_protection(&self, request: &[u8]) -> Option<Vec<u8>> {
        if !self.faults.contains(&Fault::DropCredProtect) {
            return None;
        }
        let (MAKE_CREDENTIAL, mut parameters) = parse(request)? else { return None };
        let extensions = member(&mut parameters, MAKE_EXTENSIONS)?.as_map_mut()?;
        extensions.retain(|(name, _)| name.as_text() != Some("credProtect"));
        Some(write(MAKE_CREDENTIAL, &parameters))
    }

    fn rewritten(&self, request: &[u8], answer: &[u8]) -> Option<Vec<u8>> {
        let ((command, mut asked), (OK, mut answered)) = (parse(request)?, parse(answer)?) else { return None };
        let hash = match command {
            MAKE_CREDENTIAL => MAKE_CLIENT_DATA_HASH,
            GET_ASSERTION => GET_CLIENT_DATA_HASH,
            _ => return None,
        };
        let hash = member(&mut asked, hash)?.as_bytes()?.clone();
        let honest = member(&mut answered, AUTH_DATA)?.as_bytes()?.clone();
        let forged = self.authenticator_data(&honest);
        if forged != honest {
            let signature = match command {
                GET_ASSERTION => member(&mut answered, SIGNATURE)?,
                _ => named(member(&mut answered, STATEMENT)?, "sig")?,
            };
            let signer = self.signer_of(&[honest.as_slice(), &hash].concat(), signature.as_bytes()?)?;
            let again: Signature = signer.sign(&[forged.as_slice(), &hash].concat());
            *signature = Value::Bytes(again.to_der().as_bytes().to_vec());
            *member(&mut answered, AUTH_DATA)? = Value::Bytes(forged);
        }
        if command == GET_ASSERTION {
            self.rename(&mut answered);
        }
        Some(write(OK, &answered))
    }

    fn authenticator_data(&self, honest: &[u8]) -> Vec<u8> {
        let mut data = honest.to_vec();
        for fault in self.faults {
            match fault {
                Fault::DropUv => data.iter_mut().skip(FLAGS).take(1).for_each(|flags| *flags &= !USER_VERIFIED),
                Fault::Counter(counter) => replace(&mut data, FLAGS + 1, &counter.to_be_bytes()),
                Fault::RpId(host) => replace(&mut data, 0, &sha256(host.as_bytes())),
                Fault::DropCredProtect | Fault::UserHandle(_) => {}
            }
        }
        data
    }

    /// The user is not among what is signed.
    fn rename(&self, answer: &mut Value) {
        for fault in self.faults {
            let (Fault::UserHandle(handle), Value::Map(members)) = (fault, &mut *answer) else { continue };
            members.retain(|(key, _)| *key != Value::from(USER));
            if !handle.is_empty() {
                let user = Value::Map(vec![(Value::from("id"), Value::Bytes(handle.clone()))]);
                let place = members.partition_point(|(key, _)| key.as_integer() < Some(USER.into()));
                members.insert(place, (Value::from(USER), user));
            }
        }
    }

    /// The one of the key's secrets that made a signature.
    fn signer_of(&self, message: &[u8], signature: &[u8]) -> Option<SigningKey> {
        let signature = Signature::from_der(signature).ok()?;
        self.secrets().into_iter().find(|secret| secret.verifying_key().verify(message, &signature).is_ok())
    }

    /// Every P-256 key in the flash memory: those of resident credentials, and the attestation key.
    fn secrets(&self) -> Vec<SigningKey> {
        let mut secrets = Vec::new();
        let listed = self.flash.read_dir_and_then(path!("fido/sec"), &mut |entries| {
            for entry in entries {
                let mut file = [0; KEY_FILE_HEADER.len() + 32];
                let entry = entry?;
                let path = entry.path();
                let read = self.flash.open_file_and_then(path, &mut |opened| opened.read(&mut file));
                let [_, flags, _, kind, scalar @ ..] = file;
                let is_p256 = read.is_ok_and(|len| len == file.len())
                    && flags & KEY_FILE_HEADER[1] != 0
                    && kind == KEY_FILE_HEADER[3];
                secrets.extend(is_p256.then(|| SecretKey::from_slice(&scalar).ok()).flatten().map(SigningKey::from));
            }
            Ok(())
        });
        if let Err(error) = listed {
            eprintln!("virtual-key: its secrets cannot be listed: {error:?}");
        }
        secrets
    }
}

/// A command or status byte, and the CBOR behind it.
fn parse(message: &[u8]) -> Option<(u8, Value)> {
    let (first, body) = message.split_first()?;
    Some((*first, ciborium::from_reader(Cursor::new(body)).ok()?))
}

fn write(first: u8, body: &Value) -> Vec<u8> {
    let mut message = vec![first];
    if let Err(error) = ciborium::into_writer(body, &mut message) {
        eprintln!("virtual-key: {error}");
    }
    message
}

fn member(map: &mut Value, key: i64) -> Option<&mut Value> {
    let key = Value::from(key);
    map.as_map_mut()?.iter_mut().find(|(name, _)| *name == key).map(|(_, value)| value)
}

fn named<'a>(map: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    map.as_map_mut()?.iter_mut().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
}

fn replace(data: &mut [u8], from: usize, with: &[u8]) {
    data.iter_mut().skip(from).zip(with).for_each(|(old, new)| *old = *new);
}

fn sha256(bytes: &[u8]) -> [u8; RP_ID_HASH_LEN] {
    Sha256::digest(bytes).into()
}
