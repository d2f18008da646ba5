//! Master keys, as an admin writes them.

use std::fmt;

use aws_lc_rs::aead::LessSafeKey;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

/// The length of a key, in bytes.
pub(super) const LENGTH: usize = 32;

/// The longest id of a key, in bytes: each text that it seals carries it.
const LONGEST_ID: usize = 32;

/// Why a key cannot be used. Never shows the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The id is none. Not shown: somebody may have put the key there.
    #[error("an id has 1 to {LONGEST_ID} letters, digits, dots, dashes and underscores")]
    Id,
    /// Two keys have the same id.
    #[error("the id {0:?} is there twice")]
    Twice(String),
    /// The text is no key.
    #[error("the text of the key {0:?} is not {LENGTH} bytes in base64 or hex")]
    Text(String),
}

/// A master key with its id.
pub struct Key {
    id: String,
    cipher: LessSafeKey,
}

impl Key {
    /// Reads a key: 32 bytes, in base64 or hex.
    ///
    /// # Errors
    /// The id or the text cannot be used.
    pub fn parse(id: &str, text: &str) -> Result<Self, KeyError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if id.is_empty() || id.len() > LONGEST_ID || !id.chars().all(fits) {
            return Err(KeyError::Id);
        }
        let text = text.trim();
        let bytes = hex(text).or_else(|| BASE64.decode(text).ok()?.try_into().ok());
        let cipher = bytes.and_then(|bytes| super::cipher(&bytes));
        let cipher = cipher.ok_or_else(|| KeyError::Text(id.to_owned()))?;
        Ok(Self {
            id: id.to_owned(),
            cipher,
        })
    }

    /// By which it is known.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn cipher(&self) -> &LessSafeKey {
        &self.cipher
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.id).finish()
    }
}

/// The text of a key of these bytes, which have to be random.
#[must_use]
pub fn fresh(random: [u8; LENGTH]) -> String {
    BASE64.encode(random)
}

fn hex(text: &str) -> Option<[u8; LENGTH]> {
    if text.len() != 2 * LENGTH || !text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; LENGTH];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
