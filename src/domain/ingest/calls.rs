//! Events of calls: which call they belong to, and whether they count at all. What they do to it is `domain::call`.

use ruma::OwnedRoomId;
use serde_json::json;
use uuid::Uuid;

use super::{CallLog, EarlyEvent, Effects, NewEntry, Planner, SavedCall, Verdict};
use crate::domain::call::{
    self, Call, CallAct, CallEvent, Dialect, EndReason, Input, MatrixInvite, MatrixLeg, News, Participant, Phase,
    Presence, Sdp, StreamMetadata, Topology, Version,
};
use crate::domain::conversation::{Kind, Member, Membership, Person};
use crate::domain::event::InboundEvent;
use crate::domain::feed::Change;
use crate::domain::ids::{CallId, ConversationId, ParticipantId, UserId};
use crate::domain::job::{Job, Lane, NewJob};

/// How many events of a call wait for its invite at most.
const MAX_EARLY: usize = 100;

/// Of an invite that is this near to its end nothing comes any more, in milliseconds.
const LATEST_MS: i64 = 3_000;

/// What people in a group read who call it.
const GROUP_NOTICE: &str = "Calls with Nova work between two people only, in a direct chat. Nobody was called.";

/// What people read whose client started a call that Nova cannot take part in.
const RTC_NOTICE: &str =
    "Element Call cannot reach Nova. Use \"Legacy call\" in the call menu, or Settings > Voice & Video.";

/// What the id in Matrix of a call begins with that nobody could take.
const RTC_PREFIX: &str = "rtc:";

/// A call of the kind that nobody in Nova can take.
#[derive(Debug, Clone, Copy)]
pub(super) struct RtcRing<'a> {
    /// The event that says who is in it.
    pub(super) session: Option<&'a str>,
    /// Whether it rings no more.
    pub(super) over: bool,
    /// Whether it begins with video.
    pub(super) is_video: bool,
}

/// The id under which a call is kept that nobody in Nova can take: `session`, or else the ring itself.
#[must_use]
pub fn rtc_id(session: Option<&str>, event: &str) -> String {
    format!("{RTC_PREFIX}{}", session.unwrap_or(event))
}

/// The two of a direct conversation.
struct Two {
    conversation: ConversationId,
    callee: UserId,
    peer: Person,
}

impl Planner<'_> {
    /// Something of a call.
    pub(super) fn call(&mut self, event: &InboundEvent, call: &CallEvent, marked: bool) -> Verdict {
        let ghost = self.context.ghosts.nova_user(event.sender.as_str());
        if self.is_bot(&event.sender) || (marked && ghost.is_some()) {
            return Verdict::Ignored;
        }
        let Some(conversation) = self.calls_of(&event.room) else {
            return Verdict::Ignored;
        };
        if let Some(ghost) = ghost {
            return self.by_own_client(conversation, ghost, call);
        }
        if self.is_group(conversation) {
            return self.group_is_called(event, conversation, call);
        }
        let Some(two) = self.two(conversation, event) else {
            return Verdict::Ignored;
        };
        if let CallAct::Invite {
            offer,
            metadata,
            lifetime_ms,
            invitee,
        } = &call.act
        {
            let mxid = self.context.ghosts.mxid(two.callee);
            if invitee.as_ref().is_some_and(|it| it.as_str() != mxid) {
                return Verdict::Ignored;
            }
            return self.rings(event, &two, call, (offer, metadata.as_ref(), *lifetime_ms));
        }
        if let Some(id) = self.find_call(conversation, &call.call) {
            let input = Input::Matrix {
                sender: event.sender.clone(),
                event: call.clone(),
            };
            // Also what changed nothing: read back later it could.
            self.apply_to(id, input);
            return Verdict::Applied;
        }
        if self.is_known(conversation, &call.call) {
            return Verdict::Ignored;
        }
        self.came_early(event, call)
    }

    /// The conversation of a room in which calls are held: in use, and readable.
    fn calls_of(&self, room: &OwnedRoomId) -> Option<ConversationId> {
        let portal = self.context.rooms.get(room)?;
        (portal.current && !portal.encrypted).then_some(portal.conversation)
    }

    fn is_group(&self, conversation: ConversationId) -> bool {
        let state = self.context.conversations.get(&conversation);
        state.is_some_and(|it| it.kind == Kind::Group)
    }

    /// The sender and the one Nova user of a direct conversation, if that is who is in it.
    fn two(&self, conversation: ConversationId, event: &InboundEvent) -> Option<Two> {
        let sender = self.context.ghosts.person(event.sender.as_str());
        let members = &self.context.conversations.get(&conversation)?.members;
        if members.len() != 2 || !members.contains_key(&sender) {
            return None;
        }
        let callee = *members.keys().find(|user| **user != sender)?;
        // Whoever was only asked to come is not there to be called.
        let joined = |it: &Member| it.membership == Membership::Joined;
        let is_nova =
            self.context.profiles.get(&callee).is_some_and(|it| it.is_nova) && members.get(&callee).is_some_and(joined);
        let peer = self.context.profiles.get(&sender)?.clone();
        is_nova.then_some(Two {
            conversation,
            callee,
            peer,
        })
    }

    fn blocks(&self, two: &Two) -> bool {
        self.context.doors.blocks.contains(&(two.callee, two.peer.id))
    }

    /// The unfinished call of that id.
    fn find_call(&self, conversation: ConversationId, id: &str) -> Option<CallId> {
        let of_that_id = |leg: &MatrixLeg| leg.call == id;
        let mut calls = self.calls_in(conversation);
        calls
            .find(|call| call.matrix.as_ref().is_some_and(of_that_id))
            .map(|call| call.id)
    }

    fn calls_in(&self, conversation: ConversationId) -> impl Iterator<Item = &Call> {
        let calls = self.context.calls.unfinished.values();
        calls.filter(move |call| call.conversation == conversation)
    }

    fn is_known(&self, conversation: ConversationId, id: &str) -> bool {
        let known = &self.context.calls.known;
        known.contains(&(conversation, id.to_owned())) || self.find_call(conversation, id).is_some()
    }

    /// A Nova user uses a Matrix client of their own: what it takes or refuses is done with.
    fn by_own_client(&mut self, conversation: ConversationId, ghost: UserId, call: &CallEvent) -> Verdict {
        let answered = match call.act {
            CallAct::Answer { .. } => true,
            CallAct::Reject { .. } | CallAct::Hangup(_) => false,
            CallAct::Invite { .. }
            | CallAct::SelectAnswer { .. }
            | CallAct::Candidates(_)
            | CallAct::Negotiate { .. }
            | CallAct::Metadata(_)
            | CallAct::Replaces => return Verdict::Ignored,
        };
        let Some(id) = self.find_call(conversation, &call.call) else {
            return Verdict::Ignored;
        };
        let leg = self.context.calls.unfinished.get(&id).and_then(|it| it.matrix.as_ref());
        let theirs = |leg: &MatrixLeg| leg.ghost == ghost && call.party.as_ref() != Some(&leg.our_party);
        if !leg.is_some_and(theirs) {
            return Verdict::Ignored;
        }
        self.apply_to(id, Input::Elsewhere { answered })
    }

    /// Somebody calls a group: nobody is rung, and they are told so, but not each time.
    fn group_is_called(&mut self, event: &InboundEvent, conversation: ConversationId, call: &CallEvent) -> Verdict {
        let CallAct::Invite {
            invitee, lifetime_ms, ..
        } = &call.act
        else {
            return Verdict::Ignored;
        };
        let for_others = invitee.as_ref().is_some_and(|it| !self.is_ghost(it));
        let sender = self.context.ghosts.person(event.sender.as_str());
        let state = self.context.conversations.get(&conversation);
        let member = state.is_some_and(|it| it.members.contains_key(&sender));
        let too_late = call.age_ms > *lifetime_ms;
        if for_others || !member || too_late || self.context.calls.noticed.contains(&event.room) {
            return Verdict::Ignored;
        }
        let Some(ghost) = self.nova_members(conversation).first().copied() else {
            return Verdict::Ignored;
        };
        self.context.calls.noticed.insert(event.room.clone());
        self.effects.call_notices.push(event.room.clone());
        self.notice(conversation, ghost, GROUP_NOTICE);
        Verdict::Applied
    }

    /// Keeps what came before its invite.
    fn came_early(&mut self, event: &InboundEvent, call: &CallEvent) -> Verdict {
        let key = (event.room.clone(), call.call.clone());
        let early = self.context.calls.early.entry(key).or_default();
        if early.len() >= MAX_EARLY {
            return Verdict::Ignored;
        }
        early.push(call.clone());
        self.effects.early.push(EarlyEvent {
            room: event.room.clone(),
            event: call.clone(),
        });
        Verdict::Applied
    }

    /// A Matrix user calls.
    fn rings(
        &mut self,
        event: &InboundEvent,
        two: &Two,
        call: &CallEvent,
        (offer, metadata, lifetime_ms): (&Sdp, Option<&StreamMetadata>, i64),
    ) -> Verdict {
        if self.is_known(two.conversation, &call.call) {
            return Verdict::Ignored;
        }
        let key = (event.room.clone(), call.call.clone());
        let early = self.context.calls.early.remove(&key).unwrap_or_default();
        if !early.is_empty() {
            let other = |it: &EarlyEvent| it.room != event.room || it.event.call != call.call;
            self.effects.early.retain(other);
            self.effects.early_taken.push(key);
        }
        let rules = self.context.call_rules;
        let calls_off = !rules.enabled || self.context.calls.off.contains(&two.callee) || self.blocks(two);
        let cancelled = early.iter().any(|it| matches!(it.act, CallAct::Hangup(_)));
        let too_late = call.age_ms > lifetime_ms.saturating_sub(LATEST_MS);
        let (replaces, busy) = if calls_off || cancelled || too_late {
            (None, false)
        } else {
            self.make_way(two)
        };
        let our_party: String = (self.new_id)().simple().to_string().chars().skip(20).collect();
        let invite = MatrixInvite {
            conversation: two.conversation,
            callee: two.callee,
            peer: event.sender.clone(),
            caller: two.peer.id,
            caller_name: two.peer.shown_name().to_owned(),
            caller_avatar: two.peer.avatar_url.clone(),
            call: call.call.clone(),
            party: call.party.clone(),
            version: call.version,
            age_ms: call.age_ms,
            lifetime_ms,
            offer: offer.clone(),
            metadata: metadata.cloned(),
            our_party,
            busy,
            calls_off,
            early,
            replaces,
            ring_ms: rules.ring_ms,
            grace_ms: rules.grace_ms,
        };
        let (call, followed) = Call::ring(self.context.now, invite, self.new_id);
        self.save(call, None, Some(event.room.clone()), followed);
        Verdict::Applied
    }

    /// What a new call of the peer does to the other calls of the two: it takes the place of the callee's own one that
    /// rings, and of the peer's that rings. Returns what it replaces, and whether the callee is in a call that goes on.
    fn make_way(&mut self, two: &Two) -> (Option<CallId>, bool) {
        let calls = &self.context.calls;
        let elsewhere = calls
            .busy
            .iter()
            .any(|(user, id)| *user == two.callee && !calls.unfinished.contains_key(id));
        let mut others = calls
            .unfinished
            .values()
            .filter(|it| it.conversation != two.conversation);
        let mut busy = elsewhere || others.any(|it| it.occupies(two.callee));
        let here: Vec<(CallId, UserId, Phase)> = self
            .calls_in(two.conversation)
            .map(|it| (it.id, it.initiator, it.phase))
            .collect();
        let mut replaces = None;
        for (id, initiator, phase) in here {
            match phase {
                Phase::Preparing | Phase::Ringing if initiator == two.callee => {
                    self.apply_to(id, Input::Replace);
                    replaces = Some(id);
                }
                Phase::Preparing | Phase::Ringing => {
                    self.apply_to(id, Input::Left { who: two.peer.id });
                }
                Phase::Accepted | Phase::Connected => busy = true,
                Phase::Ended => {}
            }
        }
        (replaces, busy && replaces.is_none())
    }

    /// A call rings that nobody in Nova can take: decline it, say which way works, and tell the callee whom to call back.
    pub(super) fn rtc_ring(&mut self, event: &InboundEvent, ring: RtcRing<'_>) -> Verdict {
        let ghost = self.is_ghost(&event.sender) || self.is_bot(&event.sender);
        let two = self.calls_of(&event.room).filter(|id| !ghost && !self.is_group(*id));
        let Some(two) = two.and_then(|id| self.two(id, event)) else {
            return Verdict::Ignored;
        };
        let id = rtc_id(ring.session, &event.id);
        let conversation = two.conversation;
        if self.context.calls.rung.contains(&conversation) || self.is_known(conversation, &id) {
            return Verdict::Ignored;
        }
        self.context.calls.rung.insert(conversation);
        if !ring.over {
            let decline = Job::SendEvent {
                event_type: "org.matrix.msc4310.rtc.decline".to_owned(),
                content: json!({ "m.relates_to": { "rel_type": "m.reference", "event_id": event.id } }),
                answers: None,
            };
            self.job(Lane::Conversation(conversation), two.callee, decline);
        }
        self.notice(conversation, two.callee, RTC_NOTICE);
        let call = self.missed(&two, id, ring.is_video);
        let wanted =
            self.context.call_rules.enabled && !self.context.calls.off.contains(&two.callee) && !self.blocks(&two);
        let news = News::Missed {
            by: two.peer.id,
            reason: EndReason::NoAnswer,
            is_video: ring.is_video,
        };
        let told = wanted.then_some(call::Effect::Tell { to: two.callee, news });
        self.save(call, None, Some(event.room.clone()), told.into_iter().collect());
        Verdict::Applied
    }

    /// A call that was over before anybody in Nova could take it.
    fn missed(&mut self, two: &Two, id: String, is_video: bool) -> Call {
        let now = self.context.now;
        let place = |user, id| Participant {
            user,
            id: ParticipantId(id),
            presence: Presence::Left,
            dialect: Dialect::Nova,
            joined_at: None,
            left_at: None,
            audio: false,
            video: false,
            sdp: None,
            metadata: None,
            claim: None,
            candidates: Vec::new(),
            gone_since: None,
        };
        Call {
            id: CallId((self.new_id)()),
            conversation: two.conversation,
            topology: Topology::Direct,
            is_video,
            initiator: two.peer.id,
            initiator_name: two.peer.shown_name().to_owned(),
            initiator_avatar: two.peer.avatar_url.clone(),
            max_participants: 2,
            phase: Phase::Ended,
            created_at: now,
            rings_until: now,
            answer_due: None,
            ring_ms: 0,
            grace_ms: 0,
            started_at: None,
            ended_at: Some(now),
            reason: Some(EndReason::NoAnswer),
            ended_by: None,
            people: vec![place(two.peer.id, (self.new_id)()), place(two.callee, (self.new_id)())],
            matrix: Some(MatrixLeg {
                call: id,
                our_party: String::new(),
                ghost: two.callee,
                peer: two.peer.mxid.clone(),
                peer_party: None,
                version: Version::V1,
                negotiates: false,
                selected: false,
                early: Vec::new(),
                outgoing: Vec::new(),
                flush_at: None,
                lifetime_ends: None,
            }),
            replaces: None,
        }
    }

    /// Somebody left the conversation's room.
    pub(super) fn left_calls(&mut self, conversation: ConversationId, who: UserId) {
        let ours = |call: &Call| call.matrix.as_ref().is_some_and(|leg| leg.ghost == who);
        let calls: Vec<(CallId, bool)> = self.calls_in(conversation).map(|it| (it.id, ours(it))).collect();
        for (id, ours) in calls {
            let input = if ours { Input::RoomLost } else { Input::Left { who } };
            self.apply_to(id, input);
        }
    }

    /// The conversation's room is not the one any more in which its calls are held.
    pub(super) fn room_lost(&mut self, conversation: ConversationId) {
        let in_matrix = self.calls_in(conversation).filter(|call| call.matrix.is_some());
        let calls: Vec<CallId> = in_matrix.map(|call| call.id).collect();
        for id in calls {
            self.apply_to(id, Input::RoomLost);
        }
    }

    fn apply_to(&mut self, id: CallId, input: Input) -> Verdict {
        let Some(before) = self.context.calls.unfinished.get(&id) else {
            return Verdict::Ignored;
        };
        let mut call = before.clone();
        let Ok(followed) = call.apply(self.context.now, input) else {
            return Verdict::Ignored;
        };
        if followed.is_empty() && call == *before {
            return Verdict::Ignored;
        }
        let was = before.phase;
        self.save(call, Some(was), None, followed);
        Verdict::Applied
    }

    fn save(&mut self, call: Call, was: Option<Phase>, room: Option<OwnedRoomId>, followed: Vec<call::Effect>) {
        let calls = &mut self.context.calls;
        if call.phase == Phase::Ended {
            calls.unfinished.remove(&call.id);
            let id = call.matrix.as_ref().map(|leg| leg.call.clone());
            calls.known.extend(id.map(|id| (call.conversation, id)));
        } else {
            calls.unfinished.insert(call.id, call.clone());
        }
        let saved = SavedCall {
            call,
            was,
            room,
            idempotency_key: None,
        };
        self.effects.call(saved, followed, self.new_id);
    }
}

impl Effects {
    /// A call as it is now, and what followed: news for the feed, jobs for the outbox, the audit.
    pub fn call(&mut self, saved: SavedCall, followed: Vec<call::Effect>, new_id: &mut dyn FnMut() -> Uuid) {
        let (call, conversation) = (saved.call.id, saved.call.conversation);
        let lane = Lane::Call { call, conversation };
        for effect in followed {
            match effect {
                call::Effect::Tell { to, news } => {
                    let told = NewEntry::change(conversation, Change::Call { call, news });
                    self.feed.push(told.only_for(to));
                }
                call::Effect::Send { actor, signal } => self.jobs.push(NewJob {
                    id: new_id().into(),
                    lane,
                    actor,
                    message: None,
                    job: Job::Signal { call, signal },
                }),
                call::Effect::Cut => {
                    self.jobs.retain(|job| job.lane != lane);
                    self.cuts.push(call);
                }
                call::Effect::Log { by, what } => self.call_log.push(CallLog { call, by, what }),
            }
        }
        match self.calls.iter_mut().find(|it| it.call.id == call) {
            Some(first) => first.call = saved.call,
            None => self.calls.push(saved),
        }
    }
}
