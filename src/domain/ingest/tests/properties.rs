//! Whatever comes, in whatever order and however often: what always holds.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::domain::call::{Call, Phase};
use crate::domain::conversation::{Kind, Member, pair};

const ROOMS: [&str; 3] = [ROOM, OTHER_ROOM, "!three:example.org"];

fn who() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just(ALICE.to_owned()),
        2 => Just(BOB.to_owned()),
        3 => Just(ghost(ANNA)),
        2 => Just(ghost(BERT)),
        1 => Just(ghost(NOBODY)),
        1 => Just(BOT.to_owned()),
    ]
}

fn member() -> impl Strategy<Value = Meaning> {
    let how = prop_oneof![
        4 => Just(RoomMembership::Invite),
        3 => Just(RoomMembership::Join),
        2 => Just(RoomMembership::Leave),
        1 => Just(RoomMembership::Ban),
        1 => Just(RoomMembership::Knock),
    ];
    let more = (any::<bool>(), proptest::bool::weighted(0.1));
    (who(), how, more, proptest::option::of("[ab]")).prop_map(|(target, membership, more, name)| {
        let (is_direct, to_space) = more;
        Meaning::Member(MemberEvent {
            reason: name.clone(),
            display_name: name,
            is_direct,
            to_space,
            ..MemberEvent::new(mxid(&target), membership)
        })
    })
}

/// Any event of the history, its own as well.
fn target() -> impl Strategy<Value = String> {
    (0..30_u8).prop_map(|index| format!("${index}"))
}

/// Markers are chosen among the ids that the model gives out first.
fn meaning() -> impl Strategy<Value = Meaning> {
    let marker = proptest::option::of((0x1000_u128..0x1006).prop_map(Uuid::from_u128));
    prop_oneof![
        6 => member(),
        4 => ("[a-c]", marker.clone()).prop_map(|(body, id)| marked_text(&body, id.map(MessageId))),
        1 => marker.clone().prop_map(|id| Meaning::NotYet { kind: "m.image".to_owned(), marker: id.map(MessageId) }),
        2 => (target(), "[a-c]").prop_map(|(target, body)| edit(&target, &body)),
        2 => (target(), "[👍🎉]").prop_map(|(target, key)| reaction(&target, &key)),
        2 => target().prop_map(|target| redaction(&target)),
        2 => (target(), "[a-c]").prop_map(|(target, body)| answer(&body, &target, None)),
        1 => Just(Meaning::Encrypted),
        1 => (marker, any::<bool>(), any::<bool>()).prop_map(|(id, sender_is_creator, is_space)| Meaning::Create {
            marker: id.map(OutboxId),
            creators: Vec::new(),
            sender_is_creator,
            is_space,
        }),
        1 => proptest::option::of("[a-b]").prop_map(Meaning::Name),
        1 => (who(), 0..101_i64).prop_map(|(user, level)| powers(&[(&user, level)], 0)),
        1 => proptest::sample::select(&ROOMS).prop_map(|id| Meaning::Tombstone { replacement: room(id) }),
        1 => Just(Meaning::Nothing),
        1 => Just(notice("n")),
        6 => calls::something(),
    ]
}

/// Events with distinct ids, and batches in which they come: in any order, any number of times.
fn history() -> impl Strategy<Value = Vec<Vec<InboundEvent>>> {
    let one = (proptest::sample::select(&ROOMS), who(), meaning());
    proptest::collection::vec(one, 1..30).prop_flat_map(|parts| {
        let events: Vec<InboundEvent> = parts
            .into_iter()
            .enumerate()
            .map(|(index, (id, sender, meaning))| event(&format!("${index}"), id, &sender, meaning))
            .collect();
        let pick = proptest::sample::select(events);
        proptest::collection::vec(proptest::collection::vec(pick, 1..10), 1..12)
    })
}

/// A conversation and messages of Nova's side, so that markers can meet something.
fn start() -> Model {
    let mut model = Model::new();
    let (id, _) = model.being_made(ANNA, ALICE);
    for _ in 0..3 {
        model.says(id, ANNA);
    }
    model
}

/// The members that somebody knows who has followed the feed alone.
fn followed(model: &Model, start: &Model) -> BTreeMap<ConversationId, BTreeMap<UserId, Member>> {
    let mut known: BTreeMap<_, BTreeMap<UserId, Member>> = start
        .conversations
        .iter()
        .map(|(id, it)| (*id, it.members.clone()))
        .collect();
    for entry in &model.feed {
        let members = known.entry(entry.conversation).or_default();
        match &entry.change {
            Some(Change::MemberJoined {
                user, role, membership, ..
            }) => {
                let member = Member {
                    role: *role,
                    membership: *membership,
                };
                members.insert(*user, member);
            }
            Some(Change::MemberLeft { user, .. }) => assert!(members.remove(user).is_some(), "only members leave"),
            Some(Change::Deleted { .. }) => drop(known.remove(&entry.conversation)),
            Some(Change::RoleChanged { user, old, new, .. }) => {
                let member = members.get_mut(user).expect("only members have roles");
                assert_eq!(std::mem::replace(&mut member.role, *new), *old);
            }
            _ => {}
        }
    }
    known
}

fn check(model: &Model, start: &Model) {
    let stored: BTreeMap<_, _> = model
        .conversations
        .iter()
        .map(|(id, it)| (*id, it.members.clone()))
        .collect();
    assert_eq!(
        followed(model, start),
        stored,
        "the feed tells of every change of members"
    );
    for (id, state) in &model.conversations {
        let paired = model.pairs.iter().filter(|(_, direct)| *direct == id).count();
        assert_eq!(
            paired,
            usize::from(state.kind == Kind::Direct),
            "direct conversations, and only they, hold a pair"
        );
        let pair = model.pairs.iter().find(|(_, direct)| *direct == id);
        let of_pair = |user: &UserId| pair.is_some_and(|((one, other), _)| one == user || other == user);
        assert!(
            state.kind == Kind::Group || state.members.keys().all(of_pair),
            "nobody else is in it"
        );
        let current: Vec<_> = model
            .rooms
            .iter()
            .filter(|(_, it)| it.conversation == *id && it.current)
            .collect();
        assert!(current.len() <= 1, "one room at a time");
        assert_eq!(current.first().map(|(room, _)| *room), state.room.as_ref());
    }
    for (id, state) in &model.conversations {
        let unfinished = |call: &&Call| call.conversation == *id && call.phase != Phase::Ended;
        let calls: Vec<&Call> = model.calls.values().filter(unfinished).collect();
        assert!(calls.len() <= 1, "one call in a conversation");
        for person in calls.iter().flat_map(|call| &call.people) {
            assert!(state.members.contains_key(&person.user), "nobody calls from outside");
        }
    }
    for (id, user) in model
        .knocks
        .keys()
        .filter(|(id, _)| model.conversations.contains_key(id))
    {
        assert!(
            !model.conversations[id].members.contains_key(user),
            "nobody knocks from inside"
        );
    }
    let is_space = |room: &OwnedRoomId| model.spaces.contains(room);
    assert!(!model.rooms.keys().any(is_space), "no conversation is a space");
    let events: BTreeSet<_> = model.messages.iter().map(|message| &message.event_id).collect();
    assert_eq!(events.len(), model.messages.len(), "no event is applied twice");
    assert!(
        model.people.keys().all(|id| *id != model.person(BOT)),
        "the bot is nobody"
    );
    assert!(!model.pairs.contains_key(&pair(ANNA, ANNA)));
}

fn is_nothing(effects: &Effects) -> bool {
    effects.messages.is_empty()
        && effects.feed.is_empty()
        && effects.members.is_empty()
        && effects.conversations.is_empty()
        && effects.portals.is_empty()
        && effects.jobs.is_empty()
        && effects.echoes.is_empty()
        && effects.acts.is_empty()
        && effects.people.is_empty()
        && effects.met.is_empty()
        && effects.dead_letters.is_empty()
        && effects.calls.is_empty()
        && effects.early.is_empty()
        && effects.processed.is_empty()
        && effects.knocks.is_empty()
        && effects.unknocked.is_empty()
        && effects.spaces.is_empty()
        && effects.no_spaces.is_empty()
        && effects.dissolved.is_empty()
}

proptest! {
    #[test]
    fn any_interleaving_and_repetition_of_events_keeps_the_rules(batches in history()) {
        let (begin, mut model) = (start(), start());
        for batch in &batches {
            // The model checks keys, locks and numbers while it applies.
            model.run(batch);
            check(&model, &begin);
        }
    }

    #[test]
    fn a_batch_that_comes_again_brings_nothing_new(batches in history()) {
        let mut model = start();
        for batch in &batches {
            model.run(batch);
            let (effects, outcomes) = model.run(batch);
            prop_assert!(is_nothing(&effects), "{effects:?}");
            prop_assert!(outcomes.iter().all(|it| matches!(it, Outcome::Duplicate | Outcome::Ignored)));
        }
    }

    #[test]
    fn the_size_of_the_batches_makes_no_difference_to_what_is_said(batches in history()) {
        let (mut whole, mut single) = (start(), start());
        for batch in &batches {
            whole.run(batch);
            for event in batch {
                single.run(std::slice::from_ref(event));
            }
        }
        let said = |model: &Model| -> Vec<_> {
            model.messages.iter().map(|it| (it.event_id.clone(), it.sender, it.sequence)).collect()
        };
        prop_assert_eq!(said(&whole), said(&single));
        prop_assert_eq!(whole.done, single.done);
        prop_assert_eq!(whole.conversations.len(), single.conversations.len());
    }
}
