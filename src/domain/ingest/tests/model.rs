//! The database as a plan sees it: builds contexts as `store::context` does, applies effects as `store::apply` does, and
//! checks on the way what the database's keys would check.

mod acts;
mod applying;
mod pins;

use std::collections::{BTreeSet, HashMap, HashSet};

use ruma::server_name;
use serde_json::value::RawValue;

use super::*;
use crate::domain::call::{Call, Phase};
use crate::domain::conversation::{Conversation, Kind, Member, Person, pair};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::CallId;
use crate::domain::request::Doors;

pub(super) struct Model {
    pub(super) ghosts: Ghosts,
    pub(super) people: BTreeMap<UserId, Person>,
    pub(super) conversations: BTreeMap<ConversationId, Conversation>,
    pub(super) rooms: BTreeMap<OwnedRoomId, Portal>,
    pub(super) management: HashSet<OwnedRoomId>,
    pub(super) spaces: HashSet<OwnedRoomId>,
    pub(super) knocks: BTreeMap<(ConversationId, UserId), Option<String>>,
    pub(super) pairs: BTreeMap<(UserId, UserId), ConversationId>,
    pub(super) moved: BTreeSet<ConversationId>,
    pub(super) messages: Vec<NewMessage>,
    pub(super) marked: BTreeMap<MessageId, Marked>,
    pub(super) creating: BTreeMap<OutboxId, CreateJob>,
    pub(super) feed: Vec<NewEntry>,
    /// All calls, ended ones too.
    pub(super) calls: BTreeMap<CallId, Call>,
    pub(super) early: Vec<EarlyEvent>,
    pub(super) noticed: BTreeSet<OwnedRoomId>,
    pub(super) acts: acts::Kept,
    /// People who want no calls.
    pub(super) off: BTreeSet<UserId>,
    /// As the database tells of everybody whom the events name.
    pub(super) doors: Doors,
    /// Event ids of messages, of other applied events and of dead letters.
    pub(super) done: BTreeSet<String>,
    ids: u128,
}

impl Model {
    pub(super) fn new() -> Self {
        let ghosts = Ghosts::new(server_name!("example.org"));
        let account = |id: UserId, name: &str| Person {
            id,
            mxid: mxid(&ghost(id)),
            is_nova: true,
            username: Some(name.to_owned()),
            display_name: None,
            avatar_url: None,
        };
        let people = [account(ANNA, "anna"), account(BERT, "bert")];
        Self {
            ghosts,
            people: people.into_iter().map(|person| (person.id, person)).collect(),
            conversations: BTreeMap::new(),
            rooms: BTreeMap::new(),
            management: HashSet::new(),
            spaces: HashSet::new(),
            knocks: BTreeMap::new(),
            pairs: BTreeMap::new(),
            moved: BTreeSet::new(),
            messages: Vec::new(),
            marked: BTreeMap::new(),
            creating: BTreeMap::new(),
            feed: Vec::new(),
            calls: BTreeMap::new(),
            early: Vec::new(),
            noticed: BTreeSet::new(),
            acts: acts::Kept::default(),
            off: BTreeSet::new(),
            doors: Doors::default(),
            done: BTreeSet::new(),
            ids: 0x1000,
        }
    }

    pub(super) fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    pub(super) fn of_room(&self, id: &str) -> ConversationId {
        self.rooms[&room(id)].conversation
    }

    pub(super) fn member(&self, conversation: ConversationId, user: UserId) -> Option<Member> {
        self.conversations[&conversation].members.get(&user).copied()
    }

    pub(super) fn person(&self, id: &str) -> UserId {
        self.ghosts.person(id)
    }

    /// A conversation that a Nova user made and whose room is being made: its id, and that of the job.
    pub(super) fn being_made(&mut self, by: UserId, other: &str) -> (ConversationId, OutboxId) {
        let conversation = ConversationId(self.id());
        let job = OutboxId(self.id());
        let other_id = self.person(other);
        self.people.entry(other_id).or_insert_with(|| Person {
            id: other_id,
            mxid: mxid(other),
            is_nova: false,
            username: None,
            display_name: None,
            avatar_url: None,
        });
        let member = Member {
            role: crate::domain::power::Role::Member,
            membership: crate::domain::conversation::Membership::Joined,
        };
        let made = Conversation {
            id: conversation,
            kind: Kind::Direct,
            name: None,
            description: None,
            avatar_url: None,
            created_by: by,
            has_portal: true,
            room: None,
            last_sequence: 0,
            members: BTreeMap::from([(by, member), (other_id, member)]),
            created_at: now(),
        };
        self.conversations.insert(conversation, made);
        self.pairs.insert(pair(by, other_id), conversation);
        let row = CreateJob {
            conversation,
            actor: by,
        };
        self.creating.insert(job, row);
        (conversation, job)
    }

    /// A message that a Nova user wrote, on its way to Matrix.
    pub(super) fn says(&mut self, conversation: ConversationId, sender: UserId) -> MessageId {
        let id = MessageId(self.id());
        let conversation_row = self.conversations.get_mut(&conversation).unwrap();
        conversation_row.last_sequence += 1;
        let row = Marked {
            conversation,
            sender,
            sequence: conversation_row.last_sequence,
            delivered: false,
        };
        self.marked.insert(id, row);
        id
    }

    /// Plans a batch and applies it.
    pub(super) fn run(&mut self, events: &[InboundEvent]) -> (Effects, Vec<Outcome>) {
        let context = self.context(events);
        let locked: BTreeSet<ConversationId> = context.conversations.keys().copied().collect();
        let raws = events.iter().map(|event| RawEvent {
            raw: RawValue::from_string("{}".to_owned()).unwrap(),
            decoded: Ok(event.clone()),
        });
        let raws: Vec<RawEvent> = raws.collect();
        let (effects, outcomes) = plan(context, raws, &mut || self.id());
        assert_eq!(outcomes.len(), events.len(), "every event has exactly one outcome");
        self.apply(&effects, &locked);
        (effects, outcomes)
    }

    #[expect(clippy::too_many_lines, reason = "one field after the other")]
    pub(super) fn context(&self, events: &[InboundEvent]) -> Context {
        let members = events.iter().any(|event| {
            event.meaning.concerns_members() || matches!(event.meaning, Meaning::Call { .. } | Meaning::RtcRing { .. })
        });
        let acts = self.is_acted(events);
        let senders: BTreeSet<UserId> = events.iter().map(|it| self.ghosts.person(it.sender.as_str())).collect();
        let mut rooms: HashMap<OwnedRoomId, Portal> = HashMap::new();
        let mut wanted: BTreeSet<ConversationId> = BTreeSet::new();
        let mut people: BTreeSet<UserId> = BTreeSet::new();
        let mut direct = HashMap::new();
        let mut creating = HashMap::new();
        for event in events {
            let sender = self.ghosts.person(event.sender.as_str());
            people.insert(sender);
            let mut named = vec![event.room.clone()];
            match &event.meaning {
                Meaning::Tombstone { replacement } => named.push(replacement.clone()),
                Meaning::Member(member) => {
                    let target = self.ghosts.person(member.target.as_str());
                    people.insert(target);
                    let both = pair(sender, target);
                    if member.is_direct && member.membership == RoomMembership::Invite {
                        direct.extend(self.pairs.get(&both).map(|id| (both, *id)));
                    }
                }
                Meaning::Create { marker: Some(id), .. } => {
                    creating.extend(self.creating.get(id).map(|job| (*id, *job)));
                }
                Meaning::Message { .. }
                | Meaning::Act { .. }
                | Meaning::NotYet { .. }
                | Meaning::Encrypted
                | Meaning::Create { marker: None, .. }
                | Meaning::Name(_)
                | Meaning::Topic(_)
                | Meaning::Avatar(_)
                | Meaning::PowerLevels { .. }
                | Meaning::Pinned { .. }
                | Meaning::Call { .. }
                | Meaning::RtcRing { .. }
                | Meaning::Nothing => {}
            }
            rooms.extend(
                named
                    .into_iter()
                    .filter_map(|id| Some((id.clone(), self.seen_portal(&id)?))),
            );
        }
        wanted.extend(rooms.values().map(|portal| portal.conversation));
        wanted.extend(direct.values().copied());
        wanted.extend(creating.values().map(|job| job.conversation));
        let pairs = self.pairs.iter().filter(|(_, id)| members && wanted.contains(id));
        direct.extend(pairs.map(|(both, id)| (*both, *id)));
        let conversations: HashMap<ConversationId, Conversation> = wanted
            .iter()
            .map(|id| {
                let mut state = self.conversations[id].clone();
                if members || !self.doors.blocks.is_empty() {
                    people.extend(state.members.keys().copied());
                } else {
                    // Of those who act, and only where somebody does.
                    state.members.retain(|user, _| acts && senders.contains(user));
                }
                (*id, state)
            })
            .collect();
        let known = |id: &UserId| Some((*id, self.people.get(id)?.clone()));
        Context {
            management: self.management.clone(),
            spaces: self.spaces.clone(),
            knocks: self.knocks.clone().into_iter().collect(),
            rooms,
            conversations,
            people: people
                .iter()
                .filter(|id| self.people.contains_key(id))
                .copied()
                .collect(),
            profiles: if members {
                people.iter().filter_map(known).collect()
            } else {
                BTreeMap::new()
            },
            moved: direct.values().filter(|id| self.moved.contains(id)).copied().collect(),
            direct,
            seen: self.done.iter().cloned().collect::<HashSet<_>>(),
            marked: self.marked.iter().map(|(id, row)| (*id, *row)).collect(),
            creating,
            acts: if acts { self.known_acts(events) } else { Acts::default() },
            calls: self.known_calls(&wanted),
            doors: self.doors.clone(),
            ..Context::new(self.ghosts.clone(), vec![BOT.to_owned()], now())
        }
    }

    /// What the database tells of calls, to events of these conversations.
    fn known_calls(&self, wanted: &BTreeSet<ConversationId>) -> Calls {
        let mut calls = Calls::default();
        for call in self.calls.values() {
            let here = wanted.contains(&call.conversation);
            let name = call.matrix.as_ref().map(|leg| leg.call.clone());
            if here {
                calls.known.extend(name.map(|name| (call.conversation, name)));
            }
            if here && call.phase != Phase::Ended {
                calls.unfinished.insert(call.id, call.clone());
            }
            let rtc = call.matrix.as_ref().is_some_and(|leg| leg.our_party.is_empty());
            calls.rung.extend((here && rtc).then_some(call.conversation));
            let occupied = call.people.iter().filter(|it| call.occupies(it.user));
            calls.busy.extend(occupied.map(|it| (it.user, call.id)));
        }
        for early in &self.early {
            let key = (early.room.clone(), early.event.call.clone());
            calls.early.entry(key).or_default().push(early.event.clone());
        }
        calls.off.clone_from(&self.off);
        calls.noticed.extend(self.noticed.iter().cloned());
        calls
    }

    /// A portal as the database tells of it: of a room that was left behind it knows no more.
    fn seen_portal(&self, id: &OwnedRoomId) -> Option<Portal> {
        let mut portal = self.rooms.get(id)?.clone();
        if !portal.current {
            portal.encrypted = false;
            portal.creators.clear();
        }
        Some(portal)
    }
}
