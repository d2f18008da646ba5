//! What a client says. What cannot be understood is dropped and counted, never fatal.

use serde_json::Value;

use super::acts::{self, Act};
use super::session::{End, Heard, Session};
use super::{proof, wire, words};
use crate::domain::call::{DescriptionKind, News};
use crate::domain::ids::{CallId, UserId};
use crate::metrics::ClosedBecause;
use crate::nova::error::ApiError;

/// Why an event changes nothing.
enum Dropped {
    Malformed,
    Refused(ApiError),
    End(End),
}

impl From<End> for Dropped {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<ApiError> for Dropped {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl Session {
    pub(super) async fn hear(&mut self, heard: Heard) -> Result<(), End> {
        let Heard { name, data } = heard;
        let dropped = match &data {
            Some(data) => Box::pin(self.understand(&name, data)).await.err(),
            None => Some(Dropped::Malformed),
        };
        match dropped {
            None => {}
            Some(Dropped::End(end)) => return Err(end),
            Some(Dropped::Malformed) => {
                self.state.nova.metrics.dialect_event_dropped();
                tracing::debug!(
                    event = name.get(..32).unwrap_or(&name),
                    "an event is dropped: malformed"
                );
            }
            Some(Dropped::Refused(error)) => {
                self.state.nova.metrics.dialect_event_dropped();
                tracing::debug!(event = name, %error, "an event is dropped: refused");
            }
        }
        Ok(())
    }

    async fn understand(&mut self, name: &str, data: &Value) -> Result<(), Dropped> {
        match name {
            "register-user" => self.register(data).await,
            "join-call" => self.join(data).await,
            "webrtc-offer" => {
                let sdp = acts::description(data, DescriptionKind::Offer).ok_or(Dropped::Malformed)?;
                self.act(data, Act::Offer(sdp)).await
            }
            "webrtc-answer" => {
                let sdp = acts::description(data, DescriptionKind::Answer).ok_or(Dropped::Malformed)?;
                let (_, call) = self.who_where(data)?;
                let asked = self
                    .known
                    .get_mut(&call)
                    .is_some_and(|it| std::mem::take(&mut it.asked));
                self.act(data, Act::Answer(sdp, asked)).await
            }
            "ice-candidate" => {
                let candidate = data.get("candidate").and_then(wire::candidate);
                self.act(data, Act::Candidate(candidate.ok_or(Dropped::Malformed)?))
                    .await
            }
            "toggle-audio" => {
                let audio = Some(enabled(data)?);
                self.act(data, Act::Media { audio, video: None }).await
            }
            "toggle-video" => {
                let video = Some(enabled(data)?);
                self.act(data, Act::Media { audio: None, video }).await
            }
            "leave-call" | "call-ended" => {
                self.act(data, Act::End).await?;
                let (_, call) = self.who_where(data)?;
                self.later.retain(|it| it.call != call);
                Ok(())
            }
            _ => Err(Dropped::Malformed),
        }
    }

    /// The user, and the call that an event is for.
    fn who_where(&self, data: &Value) -> Result<(UserId, CallId), Dropped> {
        let call = wire::id(data, "callId").and_then(wire::call_id);
        self.user.zip(call).ok_or(Dropped::Malformed)
    }

    async fn act(&mut self, data: &Value, act: Act) -> Result<(), Dropped> {
        let (user, call) = self.who_where(data)?;
        Ok(acts::act(&self.state.nova, user, call, act).await?)
    }

    /// Lets the socket be whose it says. Who cannot prove that has no business here.
    async fn identify(&mut self, data: &Value) -> Result<UserId, Dropped> {
        let claimed = wire::id(data, "userId").ok_or(Dropped::Malformed)?;
        let token = data.get("accessToken").and_then(Value::as_str);
        match proof::believe(&self.state, self.user, token, Some(claimed)).await {
            Ok(user) => {
                self.sit(user);
                Ok(user)
            }
            Err(proof::Refused) => Err(End(ClosedBecause::Unauthorized).into()),
        }
    }

    /// The socket is rung from now on, and for what rings already.
    async fn register(&mut self, data: &Value) -> Result<(), Dropped> {
        let user = self.identify(data).await?;
        self.registered = true;
        let ringing = self.state.nova.bridge.ringing_for(user, None).await;
        for ring in ringing.map_err(ApiError::from)? {
            if matches!(ring.news, News::Initiated { .. }) && words::is_direct(&ring.news) {
                self.known.remove(&ring.call);
                self.tell(ring.call, &ring.news).await?;
            }
        }
        Ok(())
    }

    /// The socket takes part in a call from now on.
    async fn join(&mut self, data: &Value) -> Result<(), Dropped> {
        let call = wire::id(data, "callId").and_then(wire::call_id);
        let call = call.ok_or(Dropped::Malformed)?;
        let user = self.identify(data).await?;
        let bridge = &self.state.nova.bridge;
        let call = bridge.call(call, user).await.map_err(ApiError::from)?;
        self.joined.insert(call.id);
        Ok(self.resume(&call, user).await?)
    }
}

fn enabled(data: &Value) -> Result<bool, Dropped> {
    data.get("enabled").and_then(Value::as_bool).ok_or(Dropped::Malformed)
}
