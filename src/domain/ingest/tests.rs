//! Tests of the plan: scenarios, and properties over any interleaving of events.

mod acts;
mod adopt;
mod calls;
mod invites;
mod knocks;
mod management;
mod members;
mod messages;
mod model;
mod pins;
mod plain;
mod portals;
mod properties;
mod requests;
mod spaces;
mod third;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta};
use ruma::{OwnedRoomId, OwnedUserId};
use uuid::Uuid;

use super::*;
use crate::domain::act::Act;
use crate::domain::clock::Timestamp;
use crate::domain::conversation::Kind;
use crate::domain::event::{MemberEvent, RoomMembership};
use crate::domain::ids::{ActId, OutboxId, UserId};
use crate::domain::job::{Job, NewJob};
use crate::domain::pin::Needs;
use model::Model;

const ALICE: &str = "@alice:example.org";
const BOB: &str = "@bob:other.org";
const BOT: &str = "@novabot:example.org";
const ROOM: &str = "!one:example.org";
const OTHER_ROOM: &str = "!two:example.org";

/// The Nova accounts of the tests.
const ANNA: UserId = UserId(Uuid::from_u128(0xA));
const BERT: UserId = UserId(Uuid::from_u128(0xB));
/// A ghost's id without an account.
const NOBODY: UserId = UserId(Uuid::from_u128(0xE));

fn ghost(user: UserId) -> String {
    format!("@nova-{user}:example.org")
}

fn now() -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

fn room(id: &str) -> OwnedRoomId {
    id.try_into().unwrap()
}

fn mxid(id: &str) -> OwnedUserId {
    id.try_into().unwrap()
}

fn event(id: &str, room_id: &str, sender: &str, meaning: Meaning) -> InboundEvent {
    InboundEvent {
        id: id.to_owned(),
        room: room(room_id),
        sender: mxid(sender),
        at: now(),
        meaning,
    }
}

fn text(body: &str) -> Meaning {
    marked_text(body, None)
}

fn marked_text(body: &str, marker: Option<MessageId>) -> Meaning {
    Meaning::Message {
        text: Text::plain(body),
        reply: None,
        marker,
        notice: false,
    }
}

/// A text that is marked as a notice of the bridge itself.
fn notice(body: &str) -> Meaning {
    Meaning::Message {
        text: Text::plain(body),
        reply: None,
        marker: None,
        notice: true,
    }
}

fn membership(target: &str, membership: RoomMembership) -> Meaning {
    Meaning::Member(MemberEvent::new(mxid(target), membership))
}

fn named(target: &str, name: &str) -> Meaning {
    Meaning::Member(MemberEvent {
        display_name: Some(name.to_owned()),
        ..MemberEvent::new(mxid(target), RoomMembership::Join)
    })
}

fn direct_invite(target: &str) -> Meaning {
    Meaning::Member(MemberEvent {
        is_direct: true,
        ..MemberEvent::new(mxid(target), RoomMembership::Invite)
    })
}

fn powers(levels: &[(&str, i64)], default: i64) -> Meaning {
    Meaning::PowerLevels {
        users: levels.iter().map(|(id, level)| (mxid(id), *level)).collect(),
        default,
        needs: Needs::of(Kind::Group),
    }
}

fn edit(target: &str, body: &str) -> Meaning {
    let text = Text::plain(body);
    done_to(target, Act::Edit { text }, None)
}

fn reaction(target: &str, key: &str) -> Meaning {
    done_to(target, Act::React { key: key.to_owned() }, None)
}

fn redaction(target: &str) -> Meaning {
    done_to(target, Act::Redact, None)
}

fn done_to(target: &str, act: Act, marker: Option<ActId>) -> Meaning {
    Meaning::Act {
        target: target.to_owned(),
        act,
        marker,
    }
}

fn answer(body: &str, target: &str, thread: Option<&str>) -> Meaning {
    Meaning::Message {
        text: Text::plain(body),
        reply: Some(Reply {
            target: target.to_owned(),
            thread: thread.map(str::to_owned),
        }),
        marker: None,
        notice: false,
    }
}

/// The kinds of the jobs, for comparison.
fn jobs(effects: &Effects) -> Vec<&'static str> {
    effects.jobs.iter().map(|job| job.job.name()).collect()
}

/// The changes in the feed as JSON lines without ids that differ from run to run.
fn changes(effects: &Effects) -> Vec<&'static str> {
    effects
        .feed
        .iter()
        .map(|entry| match &entry.change {
            None => "message",
            Some(Change::Created { .. }) => "created",
            Some(Change::Updated { .. }) => "updated",
            Some(Change::Deleted { .. }) => "deleted",
            Some(Change::MemberJoined { .. }) => "joined",
            Some(Change::MemberLeft { .. }) => "left",
            Some(Change::RoleChanged { .. }) => "role",
            Some(Change::Knocked { .. }) => "knocked",
            Some(Change::KnockAnswered { .. }) => "knock answered",
            Some(Change::Requested { .. }) => "requested",
            Some(Change::Answered { .. }) => "answered",
            Some(Change::LocationStopped { .. }) => "stopped",
            Some(Change::Call { .. }) => "call",
            Some(Change::Read { .. }) => "read",
            Some(Change::Kept { .. }) => "kept",
            Some(Change::Edited { .. }) => "edited",
            Some(Change::MessageDeleted { .. }) => "gone",
            Some(Change::Recalled { .. }) => "recalled",
            Some(Change::Reacted { .. }) => "reacted",
            Some(Change::Unreacted { .. }) => "unreacted",
            Some(Change::UnreactedAll { .. }) => "unreacted all",
            Some(Change::Pinned { .. }) => "pinned",
            Some(Change::Unpinned { .. }) => "unpinned",
            Some(Change::Delivery { .. }) => "delivery",
        })
        .collect()
}

/// The reasons of the dead letters.
fn reasons(effects: &Effects) -> Vec<&'static str> {
    effects.dead_letters.iter().map(|letter| letter.reason).collect()
}

/// A model in which Alice has invited Anna's ghost to a direct room.
fn with_direct() -> (Model, ConversationId) {
    let mut model = Model::new();
    model.run(&[event("$invite", ROOM, ALICE, direct_invite(&ghost(ANNA)))]);
    let conversation = model.of_room(ROOM);
    (model, conversation)
}

/// A model in which Alice has invited Anna's ghost to a group room.
fn with_group() -> (Model, ConversationId) {
    let mut model = Model::new();
    let invite = membership(&ghost(ANNA), RoomMembership::Invite);
    model.run(&[event("$invite", ROOM, ALICE, invite)]);
    let conversation = model.of_room(ROOM);
    (model, conversation)
}
