//! One socket's memory of its user's calls: what it says and is told of them.

mod hearing;

use std::collections::HashMap;

use axum::extract::ws::Utf8Bytes;

use super::faults::text;
use super::wire;
use super::words::{self, Facts, Place};
use crate::bridge::CommandError;
use crate::bridge::calls::Ringing;
use crate::domain::call::{Call, Dialect, News, Phase, Topology};
use crate::domain::ids::{CallId, ConversationId, UserId};
use crate::nova::NovaState;
use crate::nova::error::ApiError;

/// How people are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nova) enum Naming {
    /// By their UUID in Nova.
    Ids,
    /// By a code of six characters.
    Codes,
}

/// What is remembered of a call between two people.
#[derive(Debug)]
struct Known {
    facts: Facts,
    place: Place,
    /// Whether the client may have been shown it on another socket, or not all of it. One that rings for it already takes
    /// a second offer for another call.
    again: bool,
}

impl Known {
    fn shown(&self, me: UserId, news: &News) -> Vec<Utf8Bytes> {
        words::of_news(&self.facts, me, news).iter().map(text).collect()
    }
}

/// The calls of one socket's user.
pub(in crate::nova) struct Line {
    nova: NovaState,
    user: UserId,
    only: Option<ConversationId>,
    naming: Naming,
    /// Nothing is kept of a group call but that it is one.
    known: HashMap<CallId, Option<Known>>,
}

impl Line {
    pub(in crate::nova) fn new(nova: NovaState, user: UserId, only: Option<ConversationId>, naming: Naming) -> Self {
        Self {
            nova,
            user,
            only,
            naming,
            known: HashMap::new(),
        }
    }

    pub(super) const fn user(&self) -> UserId {
        self.user
    }

    pub(super) const fn nova(&self) -> &NovaState {
        &self.nova
    }

    /// What the socket is shown of a piece of news; `None` where it is of a call that this dialect does not know.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::nova) async fn tell(
        &mut self,
        call: CallId,
        news: &News,
    ) -> Result<Option<Vec<Utf8Bytes>>, ApiError> {
        if !self.known.contains_key(&call) && !self.look_up(call, news).await? {
            return Ok(Some(Vec::new()));
        }
        let shown = match self.known.get_mut(&call) {
            Some(Some(known)) => {
                let told_again = known.again && known.place == Place::Over;
                let (place, shown) = known.place.after(self.user, news);
                known.place = place;
                // That it is over may have been sent into nothing.
                let shown = shown || (told_again && matches!(news, News::AnsweredElsewhere { .. }));
                Some(if shown {
                    known.shown(self.user, news)
                } else {
                    Vec::new()
                })
            }
            Some(None) | None => None,
        };
        if words::is_last(news) {
            self.known.remove(&call);
        }
        Ok(shown)
    }

    /// What rings while the socket is new, as [`Self::tell`] has it. It is shown even if it was shown before.
    ///
    /// # Errors
    /// When the database fails.
    pub(in crate::nova) async fn ring(&mut self, ringing: &Ringing) -> Result<Option<Vec<Utf8Bytes>>, ApiError> {
        if let Some(Some(known)) = self.known.get_mut(&ringing.call)
            && known.place == Place::Rings
        {
            known.again = true;
            return Ok(Some(known.shown(self.user, &ringing.news)));
        }
        let frames = self.tell(ringing.call, &ringing.news).await?;
        if let Some(Some(known)) = self.known.get_mut(&ringing.call) {
            known.again = true;
        }
        Ok(frames)
    }

    /// The client has another socket now. What was written to the last one may not have come.
    pub(super) fn renew(&mut self) {
        for known in self.known.values_mut().flatten() {
            known.again = true;
        }
    }

    /// The answers to calls of a client that was away when they came. Who has one already drops the second.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn answers(&mut self) -> Result<Vec<Utf8Bytes>, ApiError> {
        let mut frames = Vec::new();
        for call in self.nova.bridge.active_calls(self.user).await? {
            let own = call.initiator == self.user && call.topology == Topology::Direct;
            let spoken = call.participant(self.user).map(|it| it.dialect) == Some(Dialect::Frames);
            let peer = call.people.iter().find(|it| it.user != self.user);
            if let (true, true, Phase::Connected, Some(sdp)) =
                (own, spoken, call.phase, peer.and_then(|it| it.sdp.as_ref()))
            {
                frames.push(text(&words::answer(&self.facts(&call).await?, sdp)));
            }
        }
        Ok(frames)
    }

    /// Remembers a call that news came of. Returns whether there is one, with something to be told of it.
    async fn look_up(&mut self, id: CallId, news: &News) -> Result<bool, ApiError> {
        let call = match self.nova.bridge.call(id, self.user).await {
            Ok(call) => call,
            Err(CommandError::UnknownCall | CommandError::Call(_)) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if call.topology == Topology::Group {
            self.known.insert(id, None);
            return Ok(true);
        }
        // A ring that is over by now.
        if matches!(news, News::Initiated { .. }) && call.phase != Phase::Ringing {
            return Ok(false);
        }
        self.remember(&call, Place::Unsure).await?;
        Ok(true)
    }

    async fn remember(&mut self, call: &Call, place: Place) -> Result<(), ApiError> {
        let facts = self.facts(call).await?;
        let known = Known {
            facts,
            place,
            again: false,
        };
        self.known.insert(call.id, Some(known));
        Ok(())
    }

    async fn facts(&self, call: &Call) -> Result<Facts, ApiError> {
        let key = if call.initiator == self.user {
            self.nova.bridge.key_of_call(call.id).await?
        } else {
            None
        };
        let own = key.as_deref().and_then(wire::id_of_key);
        let peer = call.peer_of(self.user).unwrap_or(self.user);
        Ok(Facts {
            call: own.unwrap_or_else(|| wire::shown_id(call.id)),
            peer: self.name(peer).await?,
        })
    }

    /// What somebody is called on this socket.
    async fn name(&self, peer: UserId) -> Result<String, ApiError> {
        match self.naming {
            Naming::Ids => Ok(peer.to_string()),
            Naming::Codes => Ok(self.nova.bridge.contact_code(self.user, peer).await?),
        }
    }
}
