//! The six characters by which some call clients know a person (`call-dialects.md` §2.1).

use std::fmt;

use uuid::Uuid;

use super::ids::UserId;

/// How many characters a code has.
const LENGTH: usize = 6;

/// The characters of a code: none that is easily taken for another one.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// A code. It means somebody only together with the user whose contact it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContactCode(String);

impl ContactCode {
    /// Reads a code, as it stands.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.len() == LENGTH && text.bytes().all(|it| ALPHABET.contains(&it));
        fits.then(|| Self(text.to_owned()))
    }

    /// A code of `peer` for `user`: another one with each attempt, the same every time.
    #[must_use]
    pub fn derived(user: UserId, peer: UserId, attempt: u8) -> Self {
        let mut name = peer.0.as_bytes().to_vec();
        name.push(attempt);
        let mut bits = Uuid::new_v5(&user.0, &name).as_u128();
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            let character = usize::try_from(bits & 31).ok().and_then(|it| ALPHABET.get(it));
            code.extend(character.map(|it| char::from(*it)));
            bits >>= 5;
        }
        Self(code)
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ContactCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: UserId = UserId(Uuid::from_u128(0xA));
    const BEN: UserId = UserId(Uuid::from_u128(0xB));

    #[test]
    fn a_derived_code_is_the_same_every_time_and_another_at_each_attempt() {
        let code = ContactCode::derived(ANA, BEN, 0);
        assert_eq!(ContactCode::parse(code.as_str()), Some(code.clone()));
        assert_eq!(code, ContactCode::derived(ANA, BEN, 0));
        assert_ne!(code, ContactCode::derived(ANA, BEN, 1));
        assert_ne!(code, ContactCode::derived(BEN, ANA, 0));
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in ["", "ABCDE", "ABCDEFG", "ABCDE1", "ABCDEO", "abcdef", "ABCDÉ"] {
            assert_eq!(ContactCode::parse(text), None, "{text}");
        }
    }
}
