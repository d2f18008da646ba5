//! Why a command of a Nova user is not carried out.

use super::media::Refused as MediaRefused;
use crate::domain::act;
use crate::domain::call::Refused;
use crate::domain::ids::CallId;
use crate::matrix::HomeserverError;
use crate::store::StoreError;

/// Why a command is not carried out. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// There is no such conversation.
    #[error("no such conversation")]
    NoSuchConversation,
    /// Nobody asked, or it was answered.
    #[error("no such request")]
    NoSuchRequest,
    /// Nobody knocks, or it was answered.
    #[error("this person does not knock")]
    NoSuchKnock,
    /// There is no such message.
    #[error("no such message")]
    NoSuchMessage,
    /// There is no such file, or none any more.
    #[error("no such file")]
    NoSuchFile,
    /// A file is not taken.
    #[error(transparent)]
    File(#[from] MediaRefused),
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
    /// There is no such call.
    #[error("no such call")]
    UnknownCall,
    /// It is otherwise already.
    #[error("{0}")]
    Conflict(&'static str),
    /// Calls are switched off, for everybody or for one of the two.
    #[error("calls are switched off")]
    CallsOff,
    /// The conversation has a call already.
    #[error("there is a call in this conversation already")]
    InCall {
        /// Which.
        call: CallId,
    },
    /// It must not be done to the message.
    #[error(transparent)]
    Message(#[from] act::Refused),
    /// It is not the time for this in the call, or not for this person.
    #[error(transparent)]
    Call(#[from] Refused),
    /// Postgres failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The homeserver could not answer what only it knows.
    #[error("the homeserver did not answer")]
    Homeserver(#[from] HomeserverError),
}
