//! What somebody in Nova changes about their media in a call that is up: descriptions and switches.

use super::input::{Effect, Refused};
use super::media::{Description, StreamMetadata};
use super::news::News;
use super::signal::SignalAct;
use super::{Call, Participant, Phase};
use crate::domain::ids::UserId;

impl Call {
    pub(super) fn negotiated(
        &mut self,
        by: UserId,
        description: Description,
        metadata: Option<StreamMetadata>,
    ) -> Result<Vec<Effect>, Refused> {
        self.nova(by)?;
        match self.phase {
            Phase::Ended => return Err(Refused::Ended),
            Phase::Preparing | Phase::Ringing | Phase::Accepted => return Err(Refused::NotConnected),
            Phase::Connected => {}
        }
        let Some(peer) = self.peer_of(by) else {
            return Err(Refused::NotYours);
        };
        let to_matrix = self.is_matrix(peer);
        let can = if to_matrix {
            self.matrix.as_ref().is_some_and(|leg| leg.negotiates)
        } else {
            self.participant(peer).is_some_and(|it| it.dialect.negotiates())
        };
        if !can {
            return Err(Refused::CannotNegotiate);
        }
        let Some(author) = self.participant_mut(by) else {
            return Err(Refused::NotYours);
        };
        author.describe(description.sdp.clone(), metadata);
        let metadata = author.metadata.clone().unwrap_or_default();
        let mut effects = vec![Effect::log(Some(by), "negotiated")];
        if to_matrix {
            effects.extend(self.send(SignalAct::Negotiate { description, metadata }));
        } else {
            effects.push(Effect::Tell {
                to: peer,
                news: News::Negotiate {
                    by,
                    description,
                    metadata: Some(metadata),
                },
            });
        }
        Ok(effects)
    }

    pub(super) fn switched(
        &mut self,
        by: UserId,
        audio: Option<bool>,
        video: Option<bool>,
    ) -> Result<Vec<Effect>, Refused> {
        self.nova(by)?;
        if self.phase == Phase::Ended {
            return Err(Refused::Ended);
        }
        if !self.switch(by, audio, video) || self.phase != Phase::Connected {
            return Ok(Vec::new());
        }
        let Some(peer) = self.peer_of(by) else {
            return Ok(Vec::new());
        };
        Ok(if self.is_matrix(peer) {
            self.tell_switches(by)
        } else {
            self.media_state(by)
                .map(|news| Effect::Tell { to: peer, news })
                .into_iter()
                .collect()
        })
    }

    /// Notes the switches. Returns whether anything is different now.
    pub(super) fn switch(&mut self, by: UserId, audio: Option<bool>, video: Option<bool>) -> bool {
        let Some(author) = self.participant_mut(by) else {
            return false;
        };
        let before = (author.audio, author.video);
        author.audio = audio.unwrap_or(author.audio);
        author.video = video.unwrap_or(author.video);
        let (audio, video) = (author.audio, author.video);
        author.metadata = author.metadata.as_ref().map(|it| it.switched(audio, video));
        before != (audio, video)
    }

    /// The switches of a Nova user, for the peer in Matrix.
    pub(super) fn tell_switches(&self, by: UserId) -> Vec<Effect> {
        let told = self.participant(by).and_then(Participant::told_metadata);
        told.filter(|it| !it.is_empty())
            .and_then(|metadata| self.send(SignalAct::Metadata(metadata)))
            .into_iter()
            .collect()
    }

    pub(super) fn media_state(&self, by: UserId) -> Option<News> {
        self.participant(by).map(|it| News::MediaState {
            by,
            audio: it.audio,
            video: it.video,
            metadata: it.metadata.clone(),
        })
    }
}
