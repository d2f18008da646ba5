//! Who is who across the two sides: Nova account ↔ ghost, Matrix user → stable Nova user id (architecture §3).

use ruma::{OwnedUserId, ServerName, UserId as MatrixId};
use uuid::{Uuid, uuid};

use super::ids::UserId;

/// The part of a ghost's localpart before the UUID.
pub const LOCALPART_PREFIX: &str = "nova-";

/// The namespace of the UUID v5 under which Matrix users appear to Nova. Fixed for ever: clients store these ids.
pub const MATRIX_USER_NAMESPACE: Uuid = uuid!("8f1d3a5e-6c1b-5b0e-9a53-6f0a4d2c7e91");

/// The homeserver's name and the rules that follow from it.
#[derive(Debug, Clone)]
pub struct Ghosts {
    server: Box<str>,
}

impl Ghosts {
    /// The ghosts of `server`.
    #[must_use]
    pub fn new(server: &ServerName) -> Self {
        Self {
            server: server.as_str().into(),
        }
    }

    /// The server name that every ghost carries.
    #[must_use]
    pub fn server(&self) -> &str {
        &self.server
    }

    /// The Matrix id of a Nova account, as text: `@nova-<uuid>:<server>`, lower-case and hyphenated.
    #[must_use]
    pub fn mxid(&self, user: UserId) -> String {
        format!("@{LOCALPART_PREFIX}{user}:{}", self.server)
    }

    /// The Nova account whose ghost `mxid` is, or `None` where the id is no ghost of ours.
    ///
    /// Only the canonical spelling counts: it alone is reserved by the registration, so anybody could register another
    /// one. For who does something or to whom something is done.
    #[must_use]
    pub fn nova_user(&self, mxid: &str) -> Option<UserId> {
        self.nova_user_asked_for(mxid).filter(|user| self.mxid(*user) == mxid)
    }

    /// The Nova account that somebody means by `mxid`: also without hyphens, and in upper case.
    ///
    /// Only for questions (whom to look up, whom to talk to), never for what a homeserver says that somebody did.
    #[must_use]
    pub fn nova_user_asked_for(&self, mxid: &str) -> Option<UserId> {
        let (localpart, server) = mxid.strip_prefix('@')?.split_once(':')?;
        if !server.eq_ignore_ascii_case(&self.server) {
            return None;
        }
        let (prefix, uuid) = localpart.split_at_checked(LOCALPART_PREFIX.len())?;
        if !prefix.eq_ignore_ascii_case(LOCALPART_PREFIX) || !matches!(uuid.len(), 32 | 36) {
            return None;
        }
        Uuid::try_parse(uuid).ok().map(UserId)
    }

    /// The id under which Nova knows the owner of `mxid`: a ghost's own account, or the stable id of a Matrix user.
    #[must_use]
    pub fn person(&self, mxid: &str) -> UserId {
        self.nova_user(mxid).unwrap_or_else(|| matrix_user_id(mxid))
    }

    /// The exact user namespace of the registration: nothing but ghosts.
    #[must_use]
    pub fn namespace_regex(&self) -> String {
        let server = self.server.replace('.', r"\.").replace('[', r"\[").replace(']', r"\]");
        format!("^@{LOCALPART_PREFIX}[0-9a-f]{{8}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{4}}-[0-9a-f]{{12}}:{server}$")
    }
}

/// The stable Nova user id of a Matrix user: UUID v5 of the full Matrix id under [`MATRIX_USER_NAMESPACE`].
#[must_use]
pub fn matrix_user_id(mxid: &str) -> UserId {
    UserId(Uuid::new_v5(&MATRIX_USER_NAMESPACE, mxid.as_bytes()))
}

/// Reads a Matrix user id, refusing what is no valid one.
#[must_use]
pub fn parse_mxid(text: &str) -> Option<OwnedUserId> {
    MatrixId::parse(text)
        .ok()
        .filter(|id| !id.localpart().is_empty() && text.len() <= 255)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ruma::server_name;

    use super::*;

    fn ghosts() -> Ghosts {
        Ghosts::new(server_name!("example.org"))
    }

    proptest! {
        #[test]
        fn a_ghost_leads_back_to_its_account(bytes: [u8; 16]) {
            let user = UserId(Uuid::from_bytes(bytes));
            prop_assert_eq!(ghosts().nova_user(&ghosts().mxid(user)), Some(user));
        }

        #[test]
        fn no_other_text_is_taken_for_a_ghost(text in "@?nova-?[0-9a-fA-F-]{0,40}:?(example.org|other.org)?") {
            if let Some(user) = ghosts().nova_user(&text) {
                prop_assert_eq!(ghosts().mxid(user), text);
            }
        }

        #[test]
        fn somebody_who_asks_may_leave_out_hyphens_and_shout(bytes: [u8; 16]) {
            let user = UserId(Uuid::from_bytes(bytes));
            let plain = format!("@nova-{}:example.org", user.0.simple());
            for asked in [ghosts().mxid(user), plain.clone(), plain.to_uppercase()] {
                prop_assert_eq!(ghosts().nova_user_asked_for(&asked), Some(user));
            }
            prop_assert_eq!(ghosts().nova_user(&plain), None);
            prop_assert_eq!(ghosts().person(&plain), matrix_user_id(&plain));
        }
    }

    #[test]
    fn the_service_account_and_foreign_servers_are_no_ghosts() {
        for id in [
            "@nova-service:example.org",
            "@nova-3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11:other.org",
            "@alice:example.org",
            "@nové:example.org",
            "",
        ] {
            assert_eq!(ghosts().nova_user(id), None, "{id}");
            assert_eq!(ghosts().nova_user_asked_for(id), None, "{id}");
        }
    }

    #[test]
    fn nobody_becomes_a_ghost_by_a_spelling_that_is_not_reserved() {
        for id in [
            "@nova-3f2b8c1e9d474a06b1c57e0a9f6d2c11:example.org",
            "@nova-3F2B8C1E-9D47-4A06-B1C5-7E0A9F6D2C11:example.org",
            "@nova-3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11:EXAMPLE.org",
        ] {
            assert_eq!(ghosts().nova_user(id), None, "{id}");
            assert!(ghosts().nova_user_asked_for(id).is_some(), "{id}");
        }
    }

    #[test]
    fn the_stable_id_of_a_matrix_user_never_changes() {
        insta::assert_snapshot!(matrix_user_id("@alice:example.org"), @"a27fff4c-febb-5558-a104-fcf02e68467d");
    }
}
