//! What the peer in Matrix does. Whatever comes from somebody else, from another of their devices, or too late, changes
//! nothing (`matrix-voip.md` §0.14).

use ruma::UserId as MatrixId;

use super::input::Effect;
use super::media::{Candidate, Description, Sdp, StreamMetadata};
use super::news::{EndReason, News};
use super::place::is_nheko;
use super::signal::{CallAct, CallEvent, HangupReason, SignalAct, Version};
use super::{Call, MAX_EARLY_CANDIDATES, MatrixLeg, Phase, Presence};
use crate::domain::clock::Timestamp;

impl MatrixLeg {
    /// Whether a device is the one that we talk to. Version 0 knows no devices.
    fn is_peer(&self, party: Option<&str>) -> bool {
        self.version == Version::V0 || self.peer_party.is_none() || self.peer_party.as_deref() == party
    }
}

impl Call {
    /// A call event of the room.
    pub(super) fn heard(&mut self, now: Timestamp, sender: &MatrixId, event: CallEvent) -> Vec<Effect> {
        let Some(leg) = self.matrix.as_ref().filter(|leg| leg.peer == sender) else {
            return Vec::new();
        };
        if self.phase == Phase::Ended || self.phase == Phase::Preparing {
            return Vec::new();
        }
        let ours = leg.ghost == self.initiator;
        let from_peer = leg.is_peer(event.party.as_deref());
        let up = self.phase == Phase::Connected;
        match event.act {
            CallAct::Answer { answer, metadata } if ours && !up => {
                self.answered_by_peer(now, event.party.as_deref(), event.version, answer, metadata)
            }
            CallAct::SelectAnswer { party } if !ours && from_peer => self.selected(now, &party),
            CallAct::Candidates(candidates) => self.peer_reachable(event.party, candidates),
            CallAct::Reject { busy } if ours && !up => self.rejected_by_peer(now, event.party.as_deref(), busy),
            CallAct::Hangup(reason) => self.hung_up_by_peer(now, reason, from_peer),
            CallAct::Negotiate {
                description,
                metadata,
                lifetime_ms,
            } if up && from_peer && event.age_ms <= lifetime_ms => self.negotiated_by_peer(description, metadata),
            CallAct::Metadata(metadata) if from_peer => self.switched_by_peer(&metadata),
            CallAct::Replaces if up && from_peer => {
                let peer = self.peer_user();
                self.end_with(now, EndReason::Transferred, peer, None, None)
            }
            CallAct::Invite { .. }
            | CallAct::Answer { .. }
            | CallAct::SelectAnswer { .. }
            | CallAct::Reject { .. }
            | CallAct::Negotiate { .. }
            | CallAct::Metadata(_)
            | CallAct::Replaces => Vec::new(),
        }
    }

    /// The peer, as Nova knows them.
    fn peer_user(&self) -> Option<crate::domain::ids::UserId> {
        let leg = self.matrix.as_ref()?;
        self.peer_of(leg.ghost)
    }

    /// The first answer wins; the caller says so, and whoever else answered stops.
    fn answered_by_peer(
        &mut self,
        now: Timestamp,
        party: Option<&str>,
        version: Version,
        answer: Sdp,
        metadata: Option<StreamMetadata>,
    ) -> Vec<Effect> {
        let (Some(peer), Some(leg)) = (self.peer_user(), self.matrix.as_mut()) else {
            return Vec::new();
        };
        leg.negotiates = version == Version::V1 && !is_nheko(&leg.call, party, metadata.as_ref());
        leg.version = version;
        leg.peer_party = party.map(str::to_owned);
        let early = std::mem::take(&mut leg.early);
        let caller = leg.ghost;
        self.phase = Phase::Connected;
        self.started_at = Some(now);
        let Some(answering) = self.participant_mut(peer) else {
            return Vec::new();
        };
        answering.presence = Presence::Joined;
        answering.joined_at = Some(now);
        answering.describe_as_told(answer.clone(), metadata.clone());
        let participant = answering.id;
        let mut effects = vec![Effect::log(Some(peer), "answered")];
        effects.extend(self.select(party).and_then(|act| self.send(act)));
        effects.push(Effect::Tell {
            to: caller,
            news: News::Answered {
                by: peer,
                participant,
                answer: Some(answer),
                metadata,
            },
        });
        let candidates: Vec<Candidate> = early
            .into_iter()
            .filter(|(from, _)| version == Version::V0 || from.as_deref() == party)
            .flat_map(|(_, candidates)| candidates)
            .collect();
        if !candidates.is_empty() {
            effects.push(Effect::Tell {
                to: caller,
                news: News::Candidates { by: peer, candidates },
            });
        }
        // What was switched while it rang was not in the invite.
        let quiet = self
            .participant(caller)
            .is_some_and(|it| !it.audio || (!it.video && it.sdp.as_ref().is_some_and(Sdp::sends_video)));
        if quiet {
            effects.extend(self.tell_switches(caller));
        }
        effects.extend(self.flush());
        effects
    }

    /// Says whose answer counts. It is also what stops the other devices after a reject.
    fn select(&self, party: Option<&str>) -> Option<SignalAct> {
        let chooses = self.matrix.as_ref().is_some_and(|leg| leg.version == Version::V1);
        let party = party.filter(|_| chooses)?.to_owned();
        Some(SignalAct::SelectAnswer { party })
    }

    fn selected(&mut self, now: Timestamp, party: &str) -> Vec<Effect> {
        let Some(leg) = self.matrix.as_mut().filter(|leg| leg.version == Version::V1) else {
            return Vec::new();
        };
        if leg.our_party == party {
            let first = self.phase == Phase::Connected && !std::mem::replace(&mut leg.selected, true);
            return if first {
                vec![Effect::log(None, "selected")]
            } else {
                Vec::new()
            };
        }
        let callee = leg.ghost;
        self.end_with(now, EndReason::AnsweredElsewhere, Some(callee), None, None)
    }

    fn peer_reachable(&mut self, party: Option<String>, new: Vec<Candidate>) -> Vec<Effect> {
        let up = self.phase == Phase::Connected;
        let (Some(peer), Some(leg)) = (self.peer_user(), self.matrix.as_mut()) else {
            return Vec::new();
        };
        let (ghost, ours) = (leg.ghost, leg.ghost == self.initiator);
        if ours && !up {
            // Which device answers is not known yet.
            let kept: usize = leg.early.iter().map(|(_, candidates)| candidates.len()).sum();
            if kept + new.len() <= MAX_EARLY_CANDIDATES {
                leg.early.push((party, new));
            }
            return Vec::new();
        }
        if !leg.is_peer(party.as_deref()) || new.is_empty() {
            return Vec::new();
        }
        if !up && let Some(caller) = self.participant_mut(peer) {
            if caller.candidates.len() + new.len() > MAX_EARLY_CANDIDATES {
                return Vec::new();
            }
            caller.candidates.extend(new.iter().cloned());
        }
        vec![Effect::Tell {
            to: ghost,
            news: News::Candidates {
                by: peer,
                candidates: new,
            },
        }]
    }

    fn rejected_by_peer(&mut self, now: Timestamp, party: Option<&str>, busy: bool) -> Vec<Effect> {
        let reason = if busy { EndReason::Busy } else { EndReason::Declined };
        let peer = self.peer_user();
        self.end_with(now, reason, peer, self.select(party), None)
    }

    fn hung_up_by_peer(&mut self, now: Timestamp, reason: HangupReason, from_peer: bool) -> Vec<Effect> {
        let peer = self.peer_user();
        let ours = self.matrix.as_ref().is_some_and(|leg| leg.ghost == self.initiator);
        let why = match (self.phase, reason) {
            (Phase::Connected, _) if !from_peer => return Vec::new(),
            (Phase::Connected, HangupReason::IceFailed | HangupReason::IceTimeout) => EndReason::IceFailed,
            (Phase::Connected, HangupReason::UserMediaFailed) => EndReason::MediaFailed,
            (Phase::Connected, HangupReason::UnknownError) => EndReason::Error,
            (Phase::Connected, HangupReason::Replaced) => EndReason::Replaced,
            (Phase::Connected, HangupReason::AnsweredElsewhere) => EndReason::AnsweredElsewhere,
            (Phase::Connected, _) => EndReason::UserHangup,
            // A crossing call of theirs: its invite follows, or the ringing ends by itself.
            (_, HangupReason::Replaced) if ours => return Vec::new(),
            (_, HangupReason::UserBusy) if ours => EndReason::Busy,
            (_, _) if ours => EndReason::Declined,
            (_, HangupReason::InviteTimeout) => EndReason::NoAnswer,
            (_, _) => EndReason::Cancelled,
        };
        self.end_with(now, why, peer, None, None)
    }

    fn negotiated_by_peer(&mut self, description: Description, metadata: Option<StreamMetadata>) -> Vec<Effect> {
        let (Some(peer), Some(leg)) = (self.peer_user(), self.matrix.as_ref()) else {
            return Vec::new();
        };
        let ghost = leg.ghost;
        if let Some(it) = self.participant_mut(peer) {
            it.describe_as_told(description.sdp.clone(), metadata.clone());
        }
        if !self.participant(ghost).is_some_and(|it| it.dialect.negotiates()) {
            return Vec::new();
        }
        vec![
            Effect::log(Some(peer), "negotiated"),
            Effect::Tell {
                to: ghost,
                news: News::Negotiate {
                    by: peer,
                    description,
                    metadata,
                },
            },
        ]
    }

    /// What the peer says is muted. What it leaves out stays as it was.
    fn switched_by_peer(&mut self, metadata: &StreamMetadata) -> Vec<Effect> {
        let (Some(peer), Some(leg)) = (self.peer_user(), self.matrix.as_ref()) else {
            return Vec::new();
        };
        let ghost = leg.ghost;
        let (audio, video) = metadata.enabled();
        let changed = match self.participant_mut(peer) {
            Some(it) => {
                let before = (it.audio, it.video);
                it.audio = audio.unwrap_or(it.audio);
                it.video = video.unwrap_or(it.video);
                let merged = StreamMetadata::merged(it.metadata.take(), metadata);
                it.metadata = Some(merged);
                before != (it.audio, it.video)
            }
            None => false,
        };
        let tell = self.phase == Phase::Connected && (changed || metadata.has_screen());
        tell.then(|| self.media_state(peer))
            .flatten()
            .map(|news| Effect::Tell { to: ghost, news })
            .into_iter()
            .collect()
    }
}
