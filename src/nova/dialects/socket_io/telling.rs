//! What a socket is told of its user's calls.

use serde_json::json;

use super::session::{End, Known, Session, failed};
use super::words::{self, Facts, Word};
use crate::bridge::CommandError;
use crate::domain::call::{Call, DescriptionKind, News, Phase};
use crate::domain::ids::{CallId, UserId};
use crate::nova::dto::calls::ice::IceServer;
use crate::nova::error::ApiError;
use crate::store::conversations;

impl Session {
    /// Tells a piece of news, unless it was told.
    pub(super) async fn tell(&mut self, call: CallId, news: &News) -> Result<(), End> {
        let Some(user) = self.user else { return Ok(()) };
        if !words::is_direct(news) || (!self.registered && !self.joined.contains(&call)) {
            return Ok(());
        }
        let told = self.known.contains_key(&call);
        let Some(facts) = self.facts(call, user).await? else {
            return Ok(());
        };
        match news {
            News::Initiated { by, name, .. } => {
                if *by != user && self.registered && !told {
                    let ring = self.ring(user, words::incoming(&facts, name)).await;
                    self.emit(&ring).await?;
                }
            }
            News::Answered { by, answer, .. } if *by != user => {
                let mut words = Vec::new();
                if let Some(known) = self.known.get_mut(&call)
                    && !std::mem::replace(&mut known.taken, true)
                {
                    words = words::taken(&facts, *by);
                }
                if answer.is_some() {
                    self.note_media(call, user).await;
                }
                let answer = answer.as_ref();
                words.extend(answer.map(|it| words::description(&facts, user, *by, DescriptionKind::Answer, it)));
                self.show(call, words).await?;
            }
            News::AnsweredElsewhere { .. } => {
                let bridge = &self.state.nova.bridge;
                if self.joined.contains(&call)
                    && let Ok(call) = bridge.call(call, user).await
                {
                    self.resume(&call, user).await?;
                }
            }
            News::MediaState { by, audio, video, .. } if *by != user => {
                let is = (*audio, *video);
                if let Some(known) = self.known.get_mut(&call) {
                    let was = std::mem::replace(&mut known.media, is);
                    self.show(call, words::switched(&facts.name(*by), was, is)).await?;
                }
            }
            News::Answered { .. }
            | News::Candidates { .. }
            | News::Negotiate { .. }
            | News::MediaState { .. }
            | News::ParticipantJoined { .. }
            | News::ParticipantLeft { .. }
            | News::Rejected { .. }
            | News::Missed { .. }
            | News::Ended { .. } => {
                if let (News::Negotiate { description, .. }, Some(known)) = (news, self.known.get_mut(&call)) {
                    known.asked = description.kind == DescriptionKind::Offer;
                }
                let early = matches!(news, News::Candidates { .. }) && self.waits_for_offer(call);
                if !early {
                    self.show(call, words::plain(&facts, user, news)).await?;
                }
            }
        }
        if words::is_last(news) {
            self.known.remove(&call);
            self.joined.remove(&call);
            self.later.retain(|it| it.call != call);
        }
        Ok(())
    }

    /// Notes what the peer sends at first, so that a switch is told as one.
    async fn note_media(&mut self, call: CallId, user: UserId) {
        let Ok(call) = self.state.nova.bridge.call(call, user).await else {
            return;
        };
        if let Some(known) = self.known.get_mut(&call.id) {
            known.media = media_of_peer(&call, user);
        }
    }

    /// What is known of a call; nothing, where it is none of the user's any more.
    async fn facts(&mut self, call: CallId, user: UserId) -> Result<Option<Facts>, End> {
        if let Some(known) = self.known.get(&call) {
            return Ok(Some(known.facts.clone()));
        }
        match self.state.nova.bridge.call(call, user).await {
            Ok(call) => Ok(Some(self.know(&call, user).await?)),
            Err(CommandError::UnknownCall | CommandError::Call(_)) => Ok(None),
            Err(error) => Err(failed(&error.into())),
        }
    }

    /// Remembers a call.
    pub(super) async fn know(&mut self, call: &Call, user: UserId) -> Result<Facts, End> {
        if let Some(known) = self.known.get(&call.id) {
            return Ok(known.facts.clone());
        }
        let bridge = &self.state.nova.bridge;
        let room = async {
            let mut connection = bridge.store().read().await?;
            Ok::<_, ApiError>(conversations::room_of(&mut connection, call.conversation).await?)
        };
        let room = room.await.map_err(|error| failed(&error))?;
        let facts = Facts::new(bridge.ghosts(), call, room);
        let known = Known {
            facts: facts.clone(),
            taken: false,
            offered: call.initiator == user || call.phase == Phase::Connected,
            asked: false,
            media: media_of_peer(call, user),
        };
        self.known.insert(call.id, known);
        Ok(facts)
    }

    /// A ring with what only this socket's user is told.
    async fn ring(&self, user: UserId, mut ring: Word) -> Word {
        let nova = &self.state.nova;
        let servers = IceServer::list(&Box::pin(nova.bridge.ice_servers(user)).await);
        if let Some(body) = ring.body.as_object_mut() {
            body.insert("iceServers".to_owned(), json!(servers));
            // Clients send their requests below it: with the namespace's token, where it has one.
            let base = nova.settings.public_url.as_str().trim_end_matches('/');
            let namespace = self.socket.ns().trim_end_matches('/');
            body.insert("baseUrl".to_owned(), json!(format!("{base}{namespace}")));
        }
        ring
    }
}

/// Whether the peer can be heard and seen.
pub(super) fn media_of_peer(call: &Call, user: UserId) -> (bool, bool) {
    let peer = call.people.iter().find(|it| it.user != user);
    peer.map_or((true, true), |it| (it.audio, it.video))
}
