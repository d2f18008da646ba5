//! What a client does in a call, whichever way it comes in: the events and `/api/calls/*` both end here.

use super::wire;
use crate::bridge::CommandError;
use crate::domain::call::{
    Call, Candidate, Description, DescriptionKind, Dialect, EndReason, Input, Phase, Refused, Sdp, Topology,
};
use crate::domain::ids::{CallId, UserId};
use crate::nova::NovaState;
use crate::nova::error::ApiError;

/// Something that a client does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    Offer(Sdp),
    /// Whether a new offer of the peer waits for it.
    Answer(Sdp, bool),
    Candidate(Candidate),
    Media {
        audio: Option<bool>,
        video: Option<bool>,
    },
    End,
}

/// Takes a call that rings.
pub(super) async fn accept(state: &NovaState, by: UserId, call: CallId) -> Result<Call, ApiError> {
    let dialect = Dialect::SocketIo;
    Ok(state
        .bridge
        .call_input(
            call,
            by,
            Input::Accept {
                by,
                dialect,
                claim: None,
            },
        )
        .await?)
}

/// Declines a call that rings. One that is over is over.
pub(super) async fn reject(state: &NovaState, by: UserId, call: CallId) -> Result<(), ApiError> {
    match state
        .bridge
        .call_input(call, by, Input::Reject { by, busy: false })
        .await
    {
        Ok(_) => Ok(()),
        Err(CommandError::Call(refused)) if refused != Refused::NotYours => {
            let now = state.bridge.call(call, by).await?;
            if now.phase == Phase::Ended {
                Ok(())
            } else {
                Err(CommandError::Call(refused).into())
            }
        }
        Err(error) => Err(error.into()),
    }
}

/// Does it. What was done before is done.
pub(super) async fn act(state: &NovaState, by: UserId, id: CallId, act: Act) -> Result<(), ApiError> {
    let limiter = match &act {
        Act::End => None,
        Act::Candidate(_) => Some(&state.candidates),
        Act::Offer(_) | Act::Answer(..) | Act::Media { .. } => Some(&state.sends),
    };
    if let Some(limiter) = limiter {
        limiter.check(by).map_err(ApiError::TooMany)?;
    }
    let call = state.bridge.call(id, by).await?;
    if call.topology == Topology::Group {
        return Err(ApiError::Invalid("group calls are not possible here".to_owned()));
    }
    if let Some(input) = input(&call, by, act) {
        state.bridge.call_input(id, by, input).await?;
    }
    Ok(())
}

/// What an act is in the call as it stands; `None` for one that changes nothing.
///
/// The published clients repeat themselves: over the socket and over REST, and again after each offer that is shown again.
pub(super) fn input(call: &Call, by: UserId, act: Act) -> Option<Input> {
    let own = call.participant(by)?;
    let again = |sdp: &Sdp| own.sdp.as_ref() == Some(sdp);
    let negotiate = |kind, sdp| Input::Negotiate {
        by,
        to: None,
        description: Description { kind, sdp },
        metadata: None,
    };
    let first = |offer| Input::Offer {
        by,
        offer,
        metadata: None,
    };
    let answered = |answer| Input::Answer {
        by,
        answer,
        metadata: None,
        dialect: Dialect::SocketIo,
        claim: None,
    };
    let calls = by == call.initiator;
    match (act, call.phase) {
        (Act::Offer(sdp), Phase::Preparing) if calls => Some(first(sdp)),
        (Act::Offer(sdp), Phase::Connected) => (!again(&sdp)).then(|| negotiate(DescriptionKind::Offer, sdp)),
        (Act::Answer(sdp, _), Phase::Ringing | Phase::Accepted) if !calls => Some(answered(sdp)),
        (Act::Answer(sdp, true), Phase::Connected) => Some(negotiate(DescriptionKind::Answer, sdp)),
        (Act::Candidate(candidate), Phase::Preparing | Phase::Ringing | Phase::Accepted | Phase::Connected) => {
            let candidates = vec![candidate];
            Some(Input::Candidates {
                by,
                to: None,
                candidates,
            })
        }
        (Act::Media { audio, video }, Phase::Preparing | Phase::Ringing | Phase::Accepted | Phase::Connected) => {
            let changes = audio.is_some_and(|it| it != own.audio) || video.is_some_and(|it| it != own.video);
            changes.then_some(Input::Media { by, audio, video })
        }
        (Act::End, Phase::Preparing | Phase::Ringing | Phase::Accepted | Phase::Connected) => {
            let reason = EndReason::UserHangup;
            Some(Input::End { by, reason })
        }
        (Act::Offer(_) | Act::Answer(..) | Act::Candidate(_) | Act::Media { .. } | Act::End, _) => None,
    }
}

/// The description in a body, under the name of its kind.
pub(super) fn description(body: &serde_json::Value, kind: DescriptionKind) -> Option<Sdp> {
    wire::description(body.get(kind.as_str())?, kind)
}
