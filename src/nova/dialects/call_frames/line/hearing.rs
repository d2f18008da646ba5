//! What a client says in its calls.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::Line;
use crate::bridge::CommandError;
use crate::bridge::calls::PlaceCall;
use crate::domain::call::{Call, Dialect, Phase, Refused, Sdp, Topology};
use crate::domain::contact_code::ContactCode;
use crate::domain::ids::{CallId, UserId};
use crate::nova::calls;
use crate::nova::dialects::call_frames::acts;
use crate::nova::dialects::call_frames::faults::Fault;
use crate::nova::dialects::call_frames::wire::{self, Act, Frame, Kind, Reason};
use crate::nova::dialects::call_frames::words::{Facts, Place};
use crate::nova::error::ApiError;

impl Line {
    /// Carries a frame out. Returns the call that it is about, as the client knows it.
    ///
    /// # Errors
    /// When it changes nothing: what the client is to be told.
    pub(in crate::nova) async fn hear(&mut self, kind: Kind, frame: &Map<String, Value>) -> Result<Uuid, Fault> {
        let done = self.carry_out(kind, frame).await;
        done.inspect_err(|fault| {
            self.nova.metrics.dialect_event_dropped();
            tracing::debug!(frame = kind.name(), code = fault.code, "a frame is refused");
        })
    }

    async fn carry_out(&mut self, kind: Kind, frame: &Map<String, Value>) -> Result<Uuid, Fault> {
        let about = wire::named(frame);
        let told = |error: &ApiError| {
            error.log("WS", kind.name());
            Fault::of(error, about)
        };
        if kind == Kind::Ice {
            calls::count_candidates(&self.nova, self.user).map_err(|error| told(&error))?;
        }
        let Frame { call, target, act } = wire::read(kind, frame).map_err(|error| told(&error))?;
        let known = self.find(call).await.map_err(|error| told(&error))?;
        match (act, known) {
            (Act::Offer { sdp, with_video }, None) => {
                let placed = self.place(call, &target, sdp, with_video).await;
                placed.map_err(|error| {
                    let peer = target.clone();
                    let busy = matches!(error, ApiError::Command(CommandError::InCall { .. }));
                    let fault = if let ApiError::Command(CommandError::NoSuchUser(_)) = error {
                        Fault::no_peer(&target, about)
                    } else {
                        told(&error)
                    };
                    fault.ends(Facts { call, peer }, busy)
                })?;
            }
            (_, None) => return Err(told(&CommandError::UnknownCall.into())),
            (act, Some(known)) => self.act(&known, act).await.map_err(|error| told(&error))?,
        }
        Ok(call)
    }

    /// The call that a client means: one that it made, or one that it was shown.
    async fn find(&self, id: Uuid) -> Result<Option<Call>, ApiError> {
        let bridge = &self.nova.bridge;
        let known = self
            .known
            .iter()
            .find_map(|(call, known)| known.as_ref().filter(|it| it.facts.call == id).map(|_| *call));
        if let Some(known) = known {
            return Ok(Some(bridge.call(known, self.user).await?));
        }
        if let Some(own) = bridge.call_by_key(self.user, &wire::key(id)).await? {
            return Ok(Some(own));
        }
        match bridge.call(wire::call_id(id), self.user).await {
            Ok(call) => Ok(Some(call)),
            Err(CommandError::UnknownCall) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Calls somebody.
    async fn place(&mut self, id: Uuid, target: &str, offer: Sdp, with_video: Option<bool>) -> Result<(), ApiError> {
        self.nova.sends.check(self.user).map_err(ApiError::TooMany)?;
        let nobody = || CommandError::NoSuchUser(target.to_owned());
        let peer = self.person(target).await?.ok_or_else(nobody)?;
        let bridge = &self.nova.bridge;
        let conversation = bridge.direct_with(self.user, peer).await?.ok_or_else(nobody)?;
        if self.only.is_some_and(|only| only != conversation) {
            return Err(ApiError::Invalid("this socket is for another conversation".to_owned()));
        }
        let wanted = PlaceCall {
            conversation,
            topology: Topology::Direct,
            offer: Some(offer),
            // See `acts::input`.
            metadata: None,
            is_video: with_video,
            max_participants: 2,
            idempotency_key: Some(wire::key(id)),
            dialect: Dialect::Frames,
        };
        let call = bridge.place_call(self.user, wanted).await?;
        self.remember(&call, Place::Here).await
    }

    /// Whom a client means, if there is such a person at all.
    pub(in crate::nova::dialects::call_frames) async fn person(
        &self,
        target: &str,
    ) -> Result<Option<UserId>, ApiError> {
        let ghosts = self.nova.bridge.ghosts();
        if target.starts_with('@') {
            let ours = ghosts.nova_user_asked_for(target);
            return Ok(Some(ours.unwrap_or_else(|| ghosts.person(target))));
        }
        if let Ok(id) = target.parse() {
            return Ok(Some(id));
        }
        match ContactCode::parse(&target.to_ascii_uppercase()) {
            Some(code) => Ok(self.nova.bridge.contact_of_code(self.user, &code).await?),
            None => Ok(None),
        }
    }

    /// Does something in a call.
    async fn act(&mut self, call: &Call, act: Act) -> Result<(), ApiError> {
        if call.topology == Topology::Group {
            return Err(ApiError::Invalid("group calls are not possible here".to_owned()));
        }
        if self.only.is_some_and(|only| only != call.conversation) {
            return Err(ApiError::Invalid("this socket is for another conversation".to_owned()));
        }
        let ends = matches!(act, Act::Reject(_) | Act::Hangup);
        let (place, again) = self.place_in(call.id);
        let taken = matches!(call.phase, Phase::Accepted | Phase::Connected);
        if place == Place::Over || (place == Place::Rings && taken) {
            // Another device has the call: this one only stops to ring, or found out too late.
            return if ends { Ok(()) } else { Err(elsewhere(&act)) };
        }
        // It rang for it already when it was rung again.
        if again && act == Act::Reject(Reason::Busy) {
            return Ok(());
        }
        let answers = matches!(act, Act::Answer(_));
        let input = acts::input(call, self.user, act).map_err(CommandError::from)?;
        if let Some(input) = input {
            match self.nova.bridge.call_input(call.id, self.user, input).await {
                // It ended in this moment: an end is an end.
                Err(CommandError::Call(Refused::Ended | Refused::NotRinging))
                    if ends && self.has_ended(call.id).await? => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {}
            }
        }
        if answers {
            self.remember(call, Place::Here).await?;
        } else if ends && call.phase != Phase::Ended {
            self.remember(call, Place::Over).await?;
        }
        Ok(())
    }

    fn place_in(&self, call: CallId) -> (Place, bool) {
        let known = self.known.get(&call).and_then(Option::as_ref);
        known.map_or((Place::Unsure, false), |it| {
            (it.place, it.again && it.place == Place::Rings)
        })
    }

    async fn has_ended(&self, call: CallId) -> Result<bool, ApiError> {
        Ok(self.nova.bridge.call(call, self.user).await?.phase == Phase::Ended)
    }
}

const fn elsewhere(act: &Act) -> ApiError {
    ApiError::Command(CommandError::Call(match act {
        Act::Answer(_) => Refused::NotRinging,
        Act::Offer { .. } | Act::Reject(_) | Act::Hangup | Act::Ice(_) => Refused::NotYours,
    }))
}
