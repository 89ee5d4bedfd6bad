//! Signatures of envelopes, under secrets that gateways share.

use std::sync::Arc;

use ring::hmac;
use thiserror::Error;

/// The secrets of a fleet: what is written is signed with the first, and what any of them has signed is believed.
#[derive(Debug, Clone)]
pub struct Keyring {
    keys: Arc<[hmac::Key]>,
}

/// Why a text holds no secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyringFlaw {
    /// There is none, or more than one that signs and one that was.
    #[error("{0} lines: expected a secret, and below it at most one more that is believed")]
    Lines(usize),
    /// It can be guessed.
    #[error(
        "line {line} has {length} bytes: expected at least {SECRET_MIN}, such as openssl rand -hex 32 prints"
    )]
    Short {
        /// Which line.
        line: usize,
        /// Bytes that it has.
        length: usize,
    },
}

impl Keyring {
    /// The secrets of which each line of `text` is one.
    ///
    /// # Errors
    /// Where there are none, more than two, or one is below 32 bytes.
    pub fn parse(text: &str) -> Result<Self, KeyringFlaw> {
        let secrets: Vec<&str> = text.lines().map(str::trim_end).collect();
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(KeyringFlaw::Lines(secrets.len()));
        }
        for (line, secret) in (1..).zip(&secrets) {
            if secret.len() < SECRET_MIN {
                return Err(KeyringFlaw::Short { line, length: secret.len() });
            }
        }
        let keys = secrets.iter().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()));
        Ok(Self { keys: keys.collect() })
    }

    /// A secret for another purpose, which tells nothing of those in here. It is another when the one that signs is.
    pub fn derive(&self, purpose: &[u8]) -> Option<[u8; 32]> {
        let tag = hmac::sign(self.keys.first()?, purpose);
        tag.as_ref().try_into().ok()
    }

    /// The signature of `bytes`; at most [`SIGNATURE`] bytes.
    pub(super) fn sign(&self, bytes: &[u8]) -> Option<hmac::Tag> {
        self.keys.first().map(|key| hmac::sign(key, bytes))
    }

    /// Whether this is a signature of `bytes`, in a time that tells nothing of the right one.
    pub(super) fn believes(&self, bytes: &[u8], signature: &[u8]) -> bool {
        self.keys.iter().any(|key| hmac::verify(key, bytes, signature).is_ok())
    }
}

/// Bytes of a signature: HMAC-SHA256.
pub(super) const SIGNATURE: usize = 32;
/// The fewest bytes of a secret: as many as a signature has.
const SECRET_MIN: usize = SIGNATURE;
/// One that signs, and one more during a change.
const SECRETS_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old secret, 32 bytes or longer";
    const NEW: &str = "a new secret of 32 bytes or longer";

    fn keyring(lines: &[&str]) -> Keyring {
        Keyring::parse(&lines.join("\n")).unwrap()
    }

    fn signed(keyring: &Keyring, bytes: &[u8]) -> Vec<u8> {
        keyring.sign(bytes).unwrap().as_ref().to_vec()
    }

    #[test]
    fn a_signature_is_of_its_bytes_and_secret_alone() {
        let (old, new) = (keyring(&[OLD]), keyring(&[NEW]));
        let signature = signed(&old, b"bytes");
        assert_eq!(signature.len(), SIGNATURE);
        assert!(old.believes(b"bytes", &signature));
        assert!(!old.believes(b"bytez", &signature));
        assert!(!new.believes(b"bytes", &signature));
        assert!(!old.believes(b"bytes", &signature[..SIGNATURE - 1]));
        assert!(!old.believes(b"bytes", b""));
    }

    #[test]
    fn the_first_signs_and_both_are_believed() {
        let (old, both, new) = (keyring(&[OLD]), keyring(&[NEW, OLD]), keyring(&[NEW]));
        assert!(both.believes(b"bytes", &signed(&old, b"bytes")));
        assert!(both.believes(b"bytes", &signed(&new, b"bytes")));
        assert!(new.believes(b"bytes", &signed(&both, b"bytes")));
        assert!(!old.believes(b"bytes", &signed(&both, b"bytes")));
    }

    #[test]
    fn secrets_are_one_or_two_and_long() {
        let flaw = |text: &str| Keyring::parse(text).err();
        assert_eq!(flaw(&format!("{NEW}\r\n{OLD}\n")), None);
        assert_eq!(flaw(""), Some(KeyringFlaw::Lines(0)));
        assert_eq!(flaw(&format!("{NEW}\n{OLD}\n{OLD}")), Some(KeyringFlaw::Lines(3)));
        assert_eq!(flaw("sesame\n"), Some(KeyringFlaw::Short { line: 1, length: 6 }));
        assert_eq!(flaw(&format!("{NEW}\n\n")), Some(KeyringFlaw::Short { line: 2, length: 0 }));
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", keyring(&[OLD, NEW])).contains("secret"));
    }
}
