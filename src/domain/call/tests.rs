//! Tests of the machine: whatever happens in whatever order, some things always hold.

mod ends;
mod properties;

use chrono::{DateTime, TimeDelta};
use ruma::OwnedUserId;
use uuid::Uuid;

use super::place::Peer;
use super::{
    Call, CallAct, CallEvent, Dialect, Effect, MatrixInvite, News, Place, Sdp, Signal, SignalAct, Topology, Version,
};
use crate::domain::clock::Timestamp;
use crate::domain::ids::{ConversationId, UserId};

const ANNA: UserId = UserId(Uuid::from_u128(1));
const BEN: UserId = UserId(Uuid::from_u128(2));
const CARA: UserId = UserId(Uuid::from_u128(3));
/// Alice is in Matrix; this is how Nova knows her.
const ALICE: UserId = UserId(Uuid::from_u128(4));

const RING_MS: i64 = 60_000;
const GRACE_MS: i64 = 30_000;

fn alice() -> OwnedUserId {
    OwnedUserId::try_from("@alice:example.org").unwrap()
}

fn start() -> Timestamp {
    DateTime::from_timestamp(1_767_863_600, 0).unwrap()
}

fn after(ms: i64) -> Timestamp {
    start() + TimeDelta::milliseconds(ms)
}

/// Ids in order.
fn ids() -> impl FnMut() -> Uuid {
    let mut next = 100;
    move || {
        next += 1;
        Uuid::from_u128(next)
    }
}

fn sdp(stream: &str) -> Sdp {
    let text = format!("v=0\r\ns=-\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:{stream} track\r\na=sendrecv\r\n");
    Sdp::read(text).unwrap()
}

fn placing(callees: Vec<UserId>, topology: Topology) -> Place {
    Place {
        conversation: ConversationId(Uuid::from_u128(50)),
        caller: ANNA,
        caller_name: "Anna".to_owned(),
        caller_avatar: None,
        topology,
        callees,
        peer: None,
        offer: Some(sdp("anna")),
        metadata: None,
        is_video: None,
        max_participants: 3,
        dialect: Dialect::Nova,
        ring_ms: RING_MS,
        grace_ms: GRACE_MS,
    }
}

/// Anna calls Alice, who is in Matrix.
fn to_matrix() -> (Call, Vec<Effect>) {
    let mut place = placing(vec![ALICE], Topology::Direct);
    place.peer = Some(Peer {
        mxid: alice(),
        call: "~n.1".to_owned(),
        our_party: "ourparty".to_owned(),
    });
    Call::place(start(), place, &mut ids()).unwrap()
}

/// Anna calls Ben; both are in Nova.
fn within_nova() -> (Call, Vec<Effect>) {
    Call::place(start(), placing(vec![BEN], Topology::Direct), &mut ids()).unwrap()
}

/// Anna calls a group.
fn group() -> (Call, Vec<Effect>) {
    Call::place(start(), placing(vec![BEN, CARA], Topology::Group), &mut ids()).unwrap()
}

fn invite() -> MatrixInvite {
    MatrixInvite {
        conversation: ConversationId(Uuid::from_u128(50)),
        callee: ANNA,
        peer: alice(),
        caller: ALICE,
        caller_name: "Alice".to_owned(),
        caller_avatar: None,
        call: "c1".to_owned(),
        party: Some("ELEMENT".to_owned()),
        version: Version::V1,
        age_ms: 0,
        lifetime_ms: 60_000,
        offer: sdp("alice"),
        metadata: None,
        our_party: "ourparty".to_owned(),
        busy: false,
        calls_off: false,
        early: Vec::new(),
        replaces: None,
        ring_ms: RING_MS,
        grace_ms: GRACE_MS,
    }
}

/// Alice, who is in Matrix, calls Anna.
fn from_matrix() -> (Call, Vec<Effect>) {
    Call::ring(start(), invite(), &mut ids())
}

/// Something that Alice's device says.
fn event(call: &str, party: &str, act: CallAct) -> CallEvent {
    CallEvent {
        call: call.to_owned(),
        party: Some(party.to_owned()),
        version: Version::V1,
        age_ms: 0,
        act,
    }
}

/// What is sent into the room, in order.
fn sent(effects: &[Effect]) -> Vec<&SignalAct> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send {
                signal: Signal { act, .. },
                ..
            } => Some(act),
            Effect::Tell { .. } | Effect::Cut | Effect::Log { .. } => None,
        })
        .collect()
}

/// What somebody is told, in order.
fn told(effects: &[Effect], user: UserId) -> Vec<&News> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell { to, news } if *to == user => Some(news),
            Effect::Tell { .. } | Effect::Send { .. } | Effect::Cut | Effect::Log { .. } => None,
        })
        .collect()
}

/// Whether the news is the last of a call.
const fn is_last(news: &News) -> bool {
    matches!(news, News::Rejected { .. } | News::Missed { .. } | News::Ended { .. })
}
