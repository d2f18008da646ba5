//! Sealing: text is encrypted and authenticated under a master key before it is stored. Pure: keys and randomness come in.
//!
//! What is stored is text again, so that it fits wherever the plain text did. It says by which key it was sealed:
//!
//! ```text
//! U+0001 <id of the key> ":" base64( nonce (12) | ciphertext | tag (16) )     sealed, by AES-256-GCM-SIV (RFC 8452)
//! U+0001 ":" <the text>                                                       plain text that itself begins with U+0001
//! anything else                                                               plain text
//! ```
//!
//! Each text is bound to its place (what it is, and the id of its row): a text that is moved to another row does not open.
//! The cipher stays safe where a nonce is used twice; two equal texts in one place could be told to be equal then, no more.
//! Empty text has nothing to hide and stays empty.

mod key;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;

pub use self::key::{Key, KeyError, fresh};

/// How everything begins that is not simply the text.
pub const MARK: char = '\u{1}';

/// What every place begins with, so that a key that also serves something else opens nothing of it.
const DOMAIN: &str = "nova-bridge sealed 1";

/// The random bytes that one sealing needs.
pub type NonceBytes = [u8; NONCE_LEN];

/// What a text is bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    /// What it is, such as `content`.
    pub what: &'a str,
    /// The id of what it belongs to.
    pub id: &'a str,
}

impl Place<'_> {
    fn aad(&self) -> Aad<Vec<u8>> {
        Aad::from(format!("{DOMAIN}\0{}\0{}", self.what, self.id).into_bytes())
    }
}

/// Why a stored text does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It was sealed by a key that is not there.
    #[error("it is sealed by the key {0:?}, which is not there")]
    UnknownKey(String),
    /// It is not what was sealed here, or not by this key.
    #[error("it was changed or moved since it was sealed by the key {0:?}, or that is another key now")]
    Damaged(String),
}

/// A text that cannot be sealed: it is longer than any memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a text cannot be sealed")]
pub struct SealError;

/// The master keys: the first one seals, all open. Without any, text is stored as it is.
#[derive(Clone, Default)]
pub struct Keyring(Arc<[Key]>);

impl Keyring {
    /// The keys, the one that seals first.
    ///
    /// # Errors
    /// Two have the same id.
    pub fn new(keys: Vec<Key>) -> Result<Self, KeyError> {
        for (at, key) in keys.iter().enumerate() {
            if keys.iter().take(at).any(|other| other.id() == key.id()) {
                return Err(KeyError::Twice(key.id().to_owned()));
            }
        }
        Ok(Self(keys.into()))
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(Key::id)
    }

    /// Whether there is a key of this id.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id() == id)
    }

    /// The text as it is to be stored in `place`.
    ///
    /// # Errors
    /// When it is too long for the cipher, which is longer than any memory.
    pub fn seal(&self, place: Place<'_>, nonce: NonceBytes, text: &str) -> Result<String, SealError> {
        if text.is_empty() {
            return Ok(String::new());
        }
        let Some(key) = self.0.first() else {
            let escaped = text.starts_with(MARK);
            return Ok(if escaped {
                format!("{MARK}:{text}")
            } else {
                text.to_owned()
            });
        };
        let mut sealed = text.as_bytes().to_vec();
        let cipher = key.cipher();
        cipher
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), place.aad(), &mut sealed)
            .map_err(|_| SealError)?;
        sealed.splice(0..0, nonce);
        Ok(format!("{MARK}{}:{}", key.id(), BASE64.encode(sealed)))
    }

    /// The text that is stored in `place`.
    ///
    /// # Errors
    /// When it is sealed by a key that is not there, or is not what was sealed in this place.
    pub fn open(&self, place: Place<'_>, stored: &str) -> Result<String, OpenError> {
        let (id, rest) = match parts(stored) {
            Parts::Plain(text) => return Ok(text.to_owned()),
            Parts::Sealed(id, rest) => (id, rest),
        };
        let damaged = || OpenError::Damaged(id.to_owned());
        let key = self.0.iter().find(|key| key.id() == id);
        let key = key.ok_or_else(|| OpenError::UnknownKey(id.to_owned()))?;
        let mut sealed = BASE64.decode(rest).map_err(|_| damaged())?;
        let (nonce, sealed) = sealed.split_at_mut_checked(NONCE_LEN).ok_or_else(damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| damaged())?;
        let text = key.cipher().open_in_place(nonce, place.aad(), sealed);
        let text = text.map_err(|_| damaged())?;
        String::from_utf8(text.to_vec()).map_err(|_| damaged())
    }

    /// How everything begins that the first key sealed; `None` without a key.
    #[must_use]
    pub fn prefix(&self) -> Option<String> {
        self.first().map(|id| format!("{MARK}{id}:"))
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(Key::id)).finish()
    }
}

enum Parts<'a> {
    Plain(&'a str),
    /// The key's id, and the rest.
    Sealed(&'a str, &'a str),
}

fn parts(stored: &str) -> Parts<'_> {
    match stored.strip_prefix(MARK).and_then(|rest| rest.split_once(':')) {
        None => Parts::Plain(stored),
        Some(("", text)) => Parts::Plain(text),
        Some((id, rest)) => Parts::Sealed(id, rest),
    }
}

fn cipher(key: &[u8; key::LENGTH]) -> Option<LessSafeKey> {
    UnboundKey::new(&AES_256_GCM_SIV, key).ok().map(LessSafeKey::new)
}
