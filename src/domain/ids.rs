//! Newtypes for every identifier of Nova's side, so that one cannot be passed for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    };
}

uuid_id!(
    /// A person as Nova sees one: a Nova account, or the stable id of a Matrix user ([`crate::domain::ghost::matrix_user_id`]).
    UserId
);
uuid_id!(
    /// A Nova conversation.
    ConversationId
);
uuid_id!(
    /// A message of a conversation; also the marker `social.nova.id` in the Matrix event that carries it.
    MessageId
);
uuid_id!(
    /// A call, by the id that Nova's clients know. On the Matrix side it has another one.
    CallId
);
uuid_id!(
    /// One person's part in one call. Whoever holds it is the device that takes part.
    ParticipantId
);
uuid_id!(
    /// An edit or a reaction; also the marker `social.nova.id` in our own one's Matrix event.
    ActId
);
uuid_id!(
    /// A row of the outbox; also the Matrix transaction id of the request that it stands for.
    OutboxId
);
