//! Why a command of a Nova user is not carried out.

use crate::matrix::HomeserverError;
use crate::store::StoreError;

/// Why a command is not carried out. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such conversation.
    #[error("no such conversation")]
    NoSuchConversation,
    /// There is no such message.
    #[error("no such message")]
    NoSuchMessage,
    /// There is no such dead letter.
    #[error("no such dead letter")]
    NoSuchDeadLetter,
    /// The person is known to nobody.
    #[error("no such user: {0}")]
    NoSuchUser(String),
    /// The caller takes no part in the conversation.
    #[error("you are not a member of this conversation")]
    NotMember,
    /// The caller may not do this.
    #[error("{0}")]
    Forbidden(&'static str),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Somebody else was faster, again and again.
    #[error("the request collided with others; please try again")]
    Busy,
    /// Postgres failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The homeserver could not answer what only it knows.
    #[error("the homeserver did not answer")]
    Homeserver(#[from] HomeserverError),
}
