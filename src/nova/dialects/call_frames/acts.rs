//! What a frame is in a call as it stands.

use super::wire::{Act, Reason};
use crate::domain::call::{Call, Dialect, EndReason, Input, Phase, Refused};
use crate::domain::ids::UserId;

/// What an act means; `None` for one that changes nothing. An offer is none: it makes a call, and never changes one.
pub(super) fn input(call: &Call, by: UserId, act: Act) -> Result<Option<Input>, Refused> {
    let end = Input::End {
        by,
        reason: EndReason::UserHangup,
    };
    Ok(match act {
        Act::Offer { .. } if call.phase == Phase::Ended => return Err(Refused::Ended),
        // The end comes again, or both ended it.
        Act::Reject(_) | Act::Hangup if call.phase == Phase::Ended => None,
        // The same offer again: callers have no other way to see whether the first one came.
        Act::Offer { .. } if by == call.initiator => None,
        Act::Offer { .. } => return Err(Refused::NotYours),
        Act::Answer(answer) => Some(Input::Answer {
            by,
            answer,
            // Such a client changes nothing later, so the other side must not think that it could.
            metadata: None,
            dialect: Dialect::Frames,
            claim: None,
        }),
        // A caller says so that nobody answered in time.
        Act::Reject(_) if by == call.initiator => Some(end),
        Act::Reject(reason) => Some(Input::Reject {
            by,
            busy: reason == Reason::Busy,
        }),
        Act::Hangup => Some(end),
        Act::Ice(candidates) => Some(Input::Candidates {
            by,
            to: None,
            candidates,
        }),
    })
}
