//! A group call: a mesh of Nova users. The bridge tells everybody who is in it, and carries what they say to each other
//! one to one; Matrix has no protocol for it that they share (`matrix-voip.md` §4.5).

use super::input::{Dialect, Effect, Input, Refused};
use super::media::Sdp;
use super::news::{EndReason, News};
use super::{Call, Phase, Presence};
use crate::domain::clock::Timestamp;
use crate::domain::ids::UserId;

impl Call {
    pub(super) fn apply_group(&mut self, now: Timestamp, input: Input) -> Result<Vec<Effect>, Refused> {
        match input {
            Input::Join { by, sdp, dialect } => self.joins(now, by, sdp.as_ref(), dialect),
            Input::Answer {
                by, answer, dialect, ..
            } => self.joins(now, by, Some(&answer), dialect),
            Input::Accept { by, dialect, .. } => self.joins(now, by, None, dialect),
            Input::Offer { by, offer, metadata } => {
                self.in_it(by)?;
                if let Some(author) = self.participant_mut(by) {
                    author.describe(offer, metadata);
                }
                Ok(Vec::new())
            }
            Input::Reject { by, .. } => self.declines(now, by),
            Input::End { by, .. } | Input::Leave { by } => self.leaves(now, by),
            Input::Left { who } => Ok(self.leaves(now, who).unwrap_or_default()),
            Input::Candidates { by, to, candidates } => self.tell_one(by, to, News::Candidates { by, candidates }),
            Input::Negotiate {
                by,
                to,
                description,
                metadata,
            } => self.tell_one(
                by,
                to,
                News::Negotiate {
                    by,
                    description,
                    metadata,
                },
            ),
            Input::Media { by, audio, video } => {
                self.in_it(by)?;
                if !self.switch(by, audio, video) {
                    return Ok(Vec::new());
                }
                let news = self.media_state(by);
                Ok(news.map(|news| self.tell_others(by, &news)).unwrap_or_default())
            }
            Input::Gone { who } => Ok(self.gone(now, who)),
            Input::Back { who } => Ok(self.back(who)),
            Input::Deadline => Ok(self.group_deadline(now)),
            // There is no side in Matrix.
            Input::Matrix { .. }
            | Input::Elsewhere { .. }
            | Input::RoomLost
            | Input::Refused { .. }
            | Input::Replace => Ok(Vec::new()),
        }
    }

    /// Who is in it.
    fn present(&self) -> Vec<UserId> {
        let joined = self.people.iter().filter(|it| it.presence == Presence::Joined);
        joined.map(|it| it.user).collect()
    }

    fn in_it(&self, user: UserId) -> Result<(), Refused> {
        match self.nova(user)?.presence {
            _ if self.phase == Phase::Ended => Err(Refused::Ended),
            Presence::Joined => Ok(()),
            Presence::Invited | Presence::Rejected | Presence::Left => Err(Refused::NotConnected),
        }
    }

    fn tell_others(&self, by: UserId, news: &News) -> Vec<Effect> {
        let others = self.present().into_iter().filter(|user| *user != by);
        others.map(|to| Effect::Tell { to, news: news.clone() }).collect()
    }

    fn joins(
        &mut self,
        now: Timestamp,
        by: UserId,
        sdp: Option<&Sdp>,
        dialect: Dialect,
    ) -> Result<Vec<Effect>, Refused> {
        let place = self.nova(by)?;
        let participant = place.id;
        if self.phase == Phase::Ended {
            return Err(Refused::Ended);
        }
        if place.presence == Presence::Joined {
            // The same again: its reply was lost.
            let again = by != self.initiator && place.sdp.as_ref() == sdp;
            return if again { Ok(Vec::new()) } else { Err(Refused::Joined) };
        }
        if self.present().len() >= usize::from(self.max_participants) {
            return Err(Refused::Full);
        }
        if let Some(place) = self.participant_mut(by) {
            place.presence = Presence::Joined;
            place.joined_at = Some(now);
            place.left_at = None;
            place.gone_since = None;
            place.dialect = dialect;
            match sdp.cloned() {
                Some(sdp) => place.describe(sdp, None),
                None => place.sdp = None,
            }
        }
        if self.phase != Phase::Connected {
            self.phase = Phase::Connected;
            self.started_at = Some(now);
        }
        let mut effects = vec![
            Effect::log(Some(by), "joined"),
            Effect::Tell {
                to: by,
                news: News::AnsweredElsewhere { participant },
            },
        ];
        // Everybody sees who is in it; only those who are in it need to know how to answer.
        let present = self.present();
        for to in self.audience().into_iter().filter(|user| *user != by) {
            effects.push(Effect::Tell {
                to,
                news: News::ParticipantJoined {
                    by,
                    participant,
                    sdp: sdp.filter(|_| present.contains(&to)).cloned(),
                },
            });
        }
        Ok(effects)
    }

    fn declines(&mut self, now: Timestamp, by: UserId) -> Result<Vec<Effect>, Refused> {
        let place = self.nova(by)?;
        if self.phase == Phase::Ended || place.presence != Presence::Invited {
            return Err(Refused::NotRinging);
        }
        if let Some(place) = self.participant_mut(by) {
            place.presence = Presence::Rejected;
        }
        let reason = EndReason::Declined;
        let news = News::Rejected { by, reason };
        let mut effects = vec![
            Effect::log(Some(by), "declined"),
            Effect::Tell {
                to: by,
                news: news.clone(),
            },
        ];
        if self.phase == Phase::Ringing && !self.anybody_rings() {
            effects.extend(self.end_with(now, reason, Some(by), None, None));
        }
        Ok(effects)
    }

    fn leaves(&mut self, now: Timestamp, by: UserId) -> Result<Vec<Effect>, Refused> {
        let place = self.nova(by)?;
        let participant = place.id;
        match place.presence {
            _ if self.phase == Phase::Ended => return Ok(Vec::new()),
            Presence::Invited => return self.declines(now, by),
            Presence::Rejected | Presence::Left => return Ok(Vec::new()),
            Presence::Joined => {}
        }
        // Before anybody came, it is a call that is taken back.
        if self.phase != Phase::Connected {
            return Ok(self.end_with(now, EndReason::Cancelled, Some(by), None, None));
        }
        if self.present().len() <= 1 {
            return Ok(self.end_with(now, EndReason::UserHangup, Some(by), None, None));
        }
        if let Some(place) = self.participant_mut(by) {
            place.presence = Presence::Left;
            place.left_at = Some(now);
            place.gone_since = None;
            place.sdp = None;
            place.candidates = Vec::new();
        }
        let mut effects = vec![Effect::log(Some(by), "left")];
        let news = News::ParticipantLeft { by, participant };
        effects.extend(
            self.audience()
                .into_iter()
                .filter(|user| *user != by)
                .map(|to| Effect::Tell { to, news: news.clone() }),
        );
        // Their other devices.
        effects.push(Effect::Tell { to: by, news });
        Ok(effects)
    }

    /// Carries something to the one person that it is for.
    fn tell_one(&self, by: UserId, to: Option<UserId>, news: News) -> Result<Vec<Effect>, Refused> {
        self.in_it(by)?;
        let others: Vec<UserId> = self.present().into_iter().filter(|user| *user != by).collect();
        let to = match (to, others.as_slice()) {
            (Some(to), others) if others.contains(&to) => to,
            (Some(_), _) => return Err(Refused::NotYours),
            (None, [only]) => *only,
            (None, _) => return Err(Refused::NoTarget),
        };
        Ok(vec![Effect::Tell { to, news }])
    }

    fn group_deadline(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        for who in self.lost(now) {
            effects.extend(self.leaves(now, who).unwrap_or_default());
        }
        if self.phase == Phase::Ended {
            return effects;
        }
        if self.too_long(now) {
            let detail = Some("calls end after a day");
            effects.extend(self.end_with(now, EndReason::Lost, None, None, detail));
        } else if self.rings_until <= now && self.phase == Phase::Ringing {
            effects.extend(self.end_with(now, EndReason::NoAnswer, None, None, None));
        } else if self.rings_until <= now {
            effects.extend(self.stop_ringing());
        }
        effects
    }

    /// The call goes on without those who did not come. They can still join.
    fn stop_ringing(&mut self) -> Vec<Effect> {
        let missed = self.missed(EndReason::NoAnswer);
        let mut effects = Vec::new();
        for person in self.people.iter_mut().filter(|it| it.presence == Presence::Invited) {
            person.presence = Presence::Left;
            effects.push(Effect::Tell {
                to: person.user,
                news: missed.clone(),
            });
        }
        effects
    }
}
