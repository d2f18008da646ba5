//! A Nova user calls.

use uuid::Uuid;

use crate::bridge::conversations::BLOCKED;
use crate::bridge::{Bridge, CommandError};
use crate::domain::call::{Call, Dialect, Peer, Place, Sdp, StreamMetadata, Topology};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Kind, Membership, Person};
use crate::domain::ids::{ConversationId, UserId};
use crate::domain::ingest::{Effects, SavedCall};
use crate::domain::job::{Job, Lane, NewJob};
use crate::matrix::translate::outbound;
use crate::store::people::Profiles;
use crate::store::{Tx, blocks, calls, people};

/// The longest key that a client may give to a call, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// The most people in a group call: each sends to each.
const MAX_PARTICIPANTS: u16 = 16;

/// A call that a Nova user wants to make.
#[derive(Debug, Clone)]
pub struct PlaceCall {
    /// Where.
    pub conversation: ConversationId,
    /// What the client thinks it is. The conversation decides: two people call each other, a group meets.
    pub topology: Topology,
    /// What the caller sends; may come later, as [`crate::domain::call::Input::Offer`].
    pub offer: Option<Sdp>,
    /// What its streams are.
    pub metadata: Option<StreamMetadata>,
    /// Whether it begins with video, where the caller says so.
    pub is_video: Option<bool>,
    /// How many may take part in a group.
    pub max_participants: u16,
    /// The client's own key for it: the same key is the same call.
    pub idempotency_key: Option<String>,
    /// How the caller takes part.
    pub dialect: Dialect,
}

/// Whom a call is for.
struct Callees {
    topology: Topology,
    nova: Vec<UserId>,
    peer: Option<Person>,
    /// Whether there are people in Matrix who cannot take part.
    others: bool,
}

impl Bridge {
    /// Calls the other one of a direct conversation, or the Nova users of a group.
    ///
    /// A call under a key that its caller has used before is not made again; the first one is the answer.
    ///
    /// # Errors
    /// When the caller takes no part in the conversation, there is a call in it already, calls are off, or the offer would
    /// ring nowhere.
    pub async fn place_call(&self, caller: UserId, wanted: PlaceCall) -> Result<Call, CommandError> {
        let key = &wanted.idempotency_key;
        if key
            .as_ref()
            .is_some_and(|key| key.is_empty() || key.len() > MAX_KEY_BYTES || key.contains('\0'))
        {
            return Err(CommandError::Invalid(format!(
                "idempotency_key must have 1 to {MAX_KEY_BYTES} bytes, and no NUL"
            )));
        }
        if !self.inner.settings.calls.enabled {
            return Err(CommandError::CallsOff);
        }
        let mut tx = self.inner.store.begin().await?;
        let conversation = self
            .locked(&mut tx, wanted.conversation)
            .await?
            .ok_or(CommandError::NoSuchConversation)?;
        if conversation.joined(caller).is_none() {
            return Err(CommandError::NotMember);
        }
        if let Some(key) = key
            && let Some(first) = calls::by_key(&mut tx, caller, key).await?
        {
            return if first.conversation == wanted.conversation {
                Ok(first)
            } else {
                Err(key_was_used())
            };
        }
        if let Some(call) = calls::unfinished(&mut tx, conversation.id).await?.first() {
            return Err(CommandError::InCall { call: call.id });
        }
        let ids: Vec<Uuid> = conversation.members.keys().map(|user| user.0).collect();
        let profiles = people::profiles(&mut tx, &ids).await?;
        let callees = self.callees(&mut tx, &conversation, caller, &profiles).await?;
        self.place(tx, wanted, &conversation, callees, caller, &profiles).await
    }

    async fn callees(
        &self,
        tx: &mut Tx,
        conversation: &Conversation,
        caller: UserId,
        profiles: &Profiles,
    ) -> Result<Callees, CommandError> {
        let others = || profiles.values().filter(|it| it.id != caller);
        let direct = conversation.kind == Kind::Direct;
        let mut asked: Vec<UserId> = others().filter(|it| it.is_nova || direct).map(|it| it.id).collect();
        let blockers: Vec<Uuid> = asked.iter().map(|user| user.0).collect();
        let blockers = blocks::blockers(tx, caller, &blockers).await?;
        asked.push(caller);
        let (_, off) = calls::unavailable(tx, &asked, conversation.id).await?;
        if off.contains(&caller) {
            return Err(CommandError::CallsOff);
        }
        let callees = match conversation.kind {
            Kind::Direct => {
                let other = others()
                    .next()
                    .ok_or(CommandError::Forbidden("nobody else is in this conversation"))?;
                if blockers.contains(&other.id) {
                    return Err(CommandError::Forbidden(BLOCKED));
                }
                if off.contains(&other.id) {
                    return Err(CommandError::CallsOff);
                }
                if other.is_nova && conversation.joined(other.id).is_none() {
                    return Err(CommandError::Forbidden("nobody else has come to this conversation yet"));
                }
                if !other.is_nova && calls::is_encrypted(tx, conversation.id).await? {
                    return Err(CommandError::Forbidden(
                        "this chat is encrypted in Matrix, and Nova cannot call in encrypted chats yet",
                    ));
                }
                Callees {
                    topology: Topology::Direct,
                    nova: vec![other.id],
                    peer: (!other.is_nova).then(|| other.clone()),
                    others: false,
                }
            }
            Kind::Group => {
                let place = |user: UserId| conversation.members.get(&user).map(|member| member.membership);
                let there = |person: &&Person| place(person.id) == Some(Membership::Joined);
                let nova = others().filter(there).filter(|it| it.is_nova).map(|it| it.id);
                let nova: Vec<UserId> = nova
                    .filter(|user| !off.contains(user) && !blockers.contains(user))
                    .collect();
                if nova.is_empty() {
                    return Err(CommandError::Forbidden("nobody in this group can be called"));
                }
                Callees {
                    topology: Topology::Group,
                    nova,
                    peer: None,
                    others: others().any(|it| !it.is_nova),
                }
            }
        };
        Ok(callees)
    }

    async fn place(
        &self,
        mut tx: Tx,
        wanted: PlaceCall,
        conversation: &Conversation,
        callees: Callees,
        caller: UserId,
        profiles: &Profiles,
    ) -> Result<Call, CommandError> {
        let now = self.now();
        let rules = self.inner.settings.calls.rules();
        let name = profiles
            .get(&caller)
            .map_or_else(String::new, |it| it.shown_name().to_owned());
        let notice = callees.others.then(|| {
            let text =
                format!("{name} started a call among the Nova users of this group. Matrix users cannot take part.");
            self.call_notice(conversation.id, caller, &text, now)
        });
        let place = Place {
            conversation: conversation.id,
            caller,
            caller_name: name,
            caller_avatar: profiles.get(&caller).and_then(|it| it.avatar_url.clone()),
            topology: callees.topology,
            callees: callees.nova,
            peer: callees.peer.map(|person| Peer {
                mxid: person.mxid,
                // Sorts last, so that the peer's call wins where the two cross (`matrix-voip.md` §0.2).
                call: format!("~n.{}", self.id(now).simple()),
                our_party: self.id(now).simple().to_string().chars().skip(20).collect(),
            }),
            offer: wanted.offer,
            metadata: wanted.metadata,
            is_video: wanted.is_video,
            max_participants: match callees.topology {
                Topology::Direct => 2,
                Topology::Group => wanted.max_participants.clamp(2, MAX_PARTICIPANTS),
            },
            dialect: wanted.dialect,
            ring_ms: rules.ring_ms,
            grace_ms: rules.grace_ms,
        };
        let (mut call, mut followed) = Call::place(now, place, &mut || self.id(now))?;
        followed.extend(self.refuse_for_busy(&mut tx, &mut call, now).await?);
        let mut effects = Effects::default();
        let saved = SavedCall {
            call: call.clone(),
            was: None,
            room: conversation.room.clone(),
            idempotency_key: wanted.idempotency_key,
        };
        effects.call(saved, followed, &mut || self.id(now));
        effects.jobs.extend(notice);
        match self.commit(tx, &effects, now).await {
            Err(error) if error.conflict() == Some("call_sessions_by_idempotency_key") => Err(key_was_used()),
            done => Ok(done.map(|()| call)?),
        }
    }

    fn call_notice(&self, conversation: ConversationId, actor: UserId, text: &str, now: Timestamp) -> NewJob {
        NewJob {
            id: self.id(now).into(),
            lane: Lane::Conversation(conversation),
            actor,
            message: None,
            job: Job::SendEvent {
                event_type: "m.room.message".to_owned(),
                content: outbound::notice(text),
                answers: None,
            },
        }
    }
}

fn key_was_used() -> CommandError {
    CommandError::Invalid("idempotency_key was used in another conversation".to_owned())
}
