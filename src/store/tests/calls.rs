//! Calls: written whole, found in every way, and what waits for them.

use ruma::OwnedRoomId;

use super::*;
use crate::domain::call::{
    Call, CallAct, CallEvent, Dialect, EndReason, HangupReason, Input, Peer, Phase, Place, Sdp, Signal, SignalAct,
    Topology, Version,
};
use crate::domain::ids::{CallId, OutboxId};
use crate::domain::ingest::{CallLog, EarlyEvent, SavedCall};
use crate::domain::job::{Job, Lane, NewJob};
use crate::store::calls::{self, Facts, Told};
use crate::store::nodes::Presence;
use crate::store::outbox::{self, Seats};

const ROOM: &str = "!one:example.org";

fn room() -> OwnedRoomId {
    ROOM.try_into().unwrap()
}

fn sdp() -> Sdp {
    Sdp::read("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=msid:s t\r\n".to_owned()).unwrap()
}

/// A call that rings for `to`, in Matrix under this id.
fn ringing(conversation: ConversationId, caller: UserId, to: UserId, matrix: Option<&str>) -> Call {
    let place = Place {
        conversation,
        caller,
        caller_name: "Anna".to_owned(),
        caller_avatar: None,
        topology: Topology::Direct,
        callees: vec![to],
        peer: matrix.map(|call| Peer {
            mxid: ALICE.try_into().unwrap(),
            call: call.to_owned(),
            our_party: "ours".to_owned(),
        }),
        offer: Some(sdp()),
        metadata: None,
        is_video: None,
        max_participants: 2,
        dialect: Dialect::Nova,
        ring_ms: 60_000,
        grace_ms: 30_000,
    };
    Call::place(at(0), place, &mut Uuid::now_v7).unwrap().0
}

fn saving(call: &Call, was: Option<Phase>, key: Option<&str>) -> Effects {
    Effects {
        calls: vec![SavedCall {
            call: call.clone(),
            was,
            room: Some(room()),
            idempotency_key: key.map(str::to_owned),
        }],
        call_log: vec![CallLog {
            call: call.id,
            by: Some(call.initiator),
            what: "tested",
        }],
        ..Effects::default()
    }
}

async fn save(store: &Store, call: &Call, key: Option<&str>) {
    write(store, call.conversation, &saving(call, None, key)).await;
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_call_is_kept_whole_and_found_in_every_way(pool: PgPool) {
    let store = open(&pool).await;
    let here = made(&store, Kind::Direct, &[ANNA, BERT]).await;
    let mut call = ringing(here, ANNA, BERT, None);
    save(&store, &call, Some("key")).await;
    let mut db = store.read().await.unwrap();
    assert_eq!(calls::find(&mut db, call.id).await.unwrap().as_ref(), Some(&call));
    assert_eq!(calls::find(&mut db, CallId(Uuid::from_u128(1))).await.unwrap(), None);
    assert_eq!(calls::enter(&mut db, CallId(Uuid::from_u128(1))).await.unwrap(), None);
    assert_eq!(calls::by_key(&mut db, ANNA, "key").await.unwrap().unwrap().id, call.id);
    assert_eq!(calls::by_key(&mut db, BERT, "key").await.unwrap(), None);
    assert_eq!(calls::unfinished(&mut db, here).await.unwrap(), [call.clone()]);
    assert_eq!(calls::all_unfinished(&mut db, 10).await.unwrap(), [call.clone()]);
    assert_eq!(calls::active(&mut db, BERT).await.unwrap(), [call.clone()]);
    assert_eq!(calls::active(&mut db, alice()).await.unwrap(), []);
    assert_eq!(
        calls::next_due(&mut db, 9).await.unwrap(),
        [(call.id, call.deadline().unwrap())]
    );
    assert_eq!(
        calls::of_people(&mut db, &[BERT, alice()]).await.unwrap(),
        [(call.id, BERT)]
    );
    assert_eq!(
        calls::people(&mut db).await.unwrap(),
        [(call.id, ANNA)],
        "Bert is not in it yet"
    );
    assert_eq!(calls::count(&mut db).await.unwrap(), (1, 0));
    let elsewhere = ConversationId(Uuid::from_u128(1));
    let both = [ANNA, BERT];
    assert_eq!(
        calls::unavailable(&mut db, &both, elsewhere).await.unwrap(),
        (vec![ANNA], vec![])
    );
    assert_eq!(
        calls::unavailable(&mut db, &both, here).await.unwrap(),
        (vec![], vec![])
    );
    assert_eq!(calls::gone(&mut db).await.unwrap(), []);

    call.apply(at(1), Input::Gone { who: ANNA }).unwrap();
    write(&store, here, &saving(&call, Some(Phase::Ringing), None)).await;
    assert_eq!(calls::gone(&mut db).await.unwrap(), [(call.id, ANNA)]);
    assert_eq!(
        calls::by_key(&mut db, ANNA, "key").await.unwrap().unwrap(),
        call,
        "the key stays"
    );

    let end = Input::End {
        by: ANNA,
        reason: EndReason::UserHangup,
    };
    call.apply(at(2), end).unwrap();
    write(&store, here, &saving(&call, Some(Phase::Ringing), None)).await;
    assert_eq!(calls::find(&mut db, call.id).await.unwrap(), Some(call.clone()));
    assert_eq!(calls::unfinished(&mut db, here).await.unwrap(), []);
    assert_eq!(calls::active(&mut db, BERT).await.unwrap(), []);
    assert_eq!(calls::next_due(&mut db, 9).await.unwrap(), []);
    assert_eq!(calls::people(&mut db).await.unwrap(), []);
    assert_eq!(calls::gone(&mut db).await.unwrap(), []);
    assert_eq!(calls::count(&mut db).await.unwrap(), (0, 0));
    assert_eq!(calls::history(&mut db, BERT, None, 9).await.unwrap(), [call.clone()]);
    assert_eq!(calls::history(&mut db, BERT, Some(at(0)), 9).await.unwrap(), []);
    assert_eq!(calls::history(&mut db, alice(), None, 9).await.unwrap(), []);
    let row: (String, String, i64, String) =
        sqlx::query_as("SELECT status, end_reason, duration_ms, machine::text FROM call_sessions")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!((row.0.as_str(), row.1.as_str(), row.2), ("missed", "cancelled", 0));
    assert!(!row.3.contains("v=0"), "no SDP of a call that is over");
    let audit: Vec<(Uuid, Uuid, String)> = sqlx::query_as("SELECT call_id, user_id, what FROM call_events")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(audit, vec![(call.id.0, ANNA.0, "tested".to_owned()); 3]);
    assert_eq!(calls::prune_log(&mut db, at(1)).await.unwrap(), 0);
    assert_eq!(calls::prune_log(&mut db, at(2)).await.unwrap(), 3);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn one_key_of_a_caller_and_one_id_of_a_room_are_one_call(pool: PgPool) {
    let store = open(&pool).await;
    let here = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    save(&store, &ringing(here, ANNA, alice(), Some("c1")), Some("key")).await;
    for (matrix, key, conflict) in [
        ("c2", Some("key"), "call_sessions_by_idempotency_key"),
        ("c1", None, "call_sessions_by_matrix"),
    ] {
        let call = ringing(here, ANNA, alice(), Some(matrix));
        let mut tx = store.begin().await.unwrap();
        crate::store::conversations::lock(&mut tx, &[here]).await.unwrap();
        let error = apply(&mut tx, store.clock_base(), &saving(&call, None, key), at(1))
            .await
            .unwrap_err();
        assert_eq!(error.conflict(), Some(conflict));
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn entering_a_call_waits_for_its_conversation(pool: PgPool) {
    let store = open(&pool).await;
    let here = made(&store, Kind::Direct, &[ANNA, BERT]).await;
    let mut call = ringing(here, ANNA, BERT, None);
    save(&store, &call, None).await;
    let mut first = store.begin().await.unwrap();
    assert!(calls::enter(&mut first, call.id).await.unwrap().is_some());
    let mut second = store.begin().await.unwrap();
    let waiting = pid(&mut second).await;
    let reject = Input::Reject { by: BERT, busy: false };
    let (read, ()) = tokio::join!(calls::enter(&mut second, call.id), async {
        until_blocked(&pool, waiting).await;
        call.apply(at(1), reject).unwrap();
        apply(
            &mut first,
            store.clock_base(),
            &saving(&call, Some(Phase::Ringing), None),
            at(1),
        )
        .await
        .unwrap();
        first.commit().await.unwrap();
    });
    assert_eq!(
        read.unwrap().unwrap().phase,
        Phase::Ended,
        "it sees what was decided before it"
    );
}

fn signal(call: &Call, act: SignalAct) -> NewJob {
    let signal = Signal {
        call: "c1".to_owned(),
        party: "ours".to_owned(),
        version: Version::V1,
        act,
    };
    NewJob {
        id: OutboxId(Uuid::now_v7()),
        lane: Lane::Call {
            call: call.id,
            conversation: call.conversation,
        },
        actor: ANNA,
        message: None,
        job: Job::Signal { call: call.id, signal },
    }
}

fn invite(call: &Call) -> NewJob {
    let act = SignalAct::Invite {
        offer: sdp(),
        metadata: None,
        invitee: ALICE.try_into().unwrap(),
        expires_at: at(60),
        lifetime_ms: 60_000,
    };
    signal(call, act)
}

fn candidates(call: &Call) -> NewJob {
    signal(call, SignalAct::Candidates(Vec::new()))
}

async fn queue(store: &Store, jobs: &[NewJob]) {
    let mut db = store.read().await.unwrap();
    outbox::add(&mut db, jobs, at(0)).await.unwrap();
}

const ONE_EACH: Seats = Seats { ordinary: 1, urgent: 1 };

/// The jobs that wait, in order.
async fn waiting(pool: &PgPool) -> Vec<OutboxId> {
    let ids: Vec<Uuid> = sqlx::query_scalar("SELECT id FROM outbox ORDER BY seq")
        .fetch_all(pool)
        .await
        .unwrap();
    ids.into_iter().map(OutboxId).collect()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_cut_voids_what_waits_and_ends_the_waiting(pool: PgPool) {
    let store = open(&pool).await;
    let here = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let call = ringing(here, ANNA, alice(), Some("c1"));
    let other = ringing(here, ANNA, alice(), Some("c2"));
    let jobs = [invite(&call), candidates(&call), candidates(&other)];
    queue(&store, &jobs).await;
    let _node = Presence::hold(&store, 1).await.unwrap().unwrap();
    let mut db = store.read().await.unwrap();
    let lane = jobs[0].lane.key();
    let defer = async |db: &mut PgConnection, job: OutboxId, uncertain| {
        outbox::claim(db, 1, &[], Seats { ordinary: 0, urgent: 9 }, at(100))
            .await
            .unwrap();
        let failure = outbox::Failure {
            error: "M_LIMIT_EXCEEDED",
            uncertain,
            due: at(3600),
            told_to_wait: true,
        };
        outbox::defer(db, lane, 1, job, &failure, at(1)).await.unwrap();
    };
    defer(&mut db, jobs[0].id, true).await;
    calls::cut(&mut db, &[call.id], at(2)).await.unwrap();
    assert_eq!(
        waiting(&pool).await,
        [jobs[0].id, jobs[2].id],
        "the invite may be in the room"
    );
    let due: (Timestamp, bool) = sqlx::query_as("SELECT due_at, told_to_wait FROM outbox_lanes WHERE lane = $1")
        .bind(lane)
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(due, (at(2), false), "whatever the homeserver said");

    outbox::remove(&mut db, &[jobs[0].id]).await.unwrap();
    let more = [candidates(&call), candidates(&call)];
    queue(&store, &more).await;
    outbox::claim(&mut db, 1, &[], Seats { ordinary: 0, urgent: 9 }, at(100))
        .await
        .unwrap();
    calls::cut(&mut db, &[call.id], at(3)).await.unwrap();
    assert_eq!(
        waiting(&pool).await,
        [jobs[2].id, more[0].id],
        "a worker has the head in its hands"
    );
    defer(&mut db, more[0].id, true).await;
    calls::cut(&mut db, &[call.id], at(4)).await.unwrap();
    assert_eq!(waiting(&pool).await, [jobs[2].id], "candidates are not missed");
    calls::cut(&mut db, &[], at(4)).await.unwrap();
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn calls_have_seats_of_their_own_and_their_lanes_go_when_they_are_empty(pool: PgPool) {
    let store = open(&pool).await;
    let here = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let call = ringing(here, ANNA, alice(), Some("c1"));
    let slow = |n: u128| NewJob {
        id: OutboxId(Uuid::now_v7()),
        lane: Lane::Account(UserId(Uuid::from_u128(n))),
        actor: ANNA,
        message: None,
        job: Job::ProvisionGhost,
    };
    let signal = candidates(&call);
    queue(&store, &[slow(1), slow(2), signal.clone()]).await;
    let _node = Presence::hold(&store, 1).await.unwrap().unwrap();
    let mut db = store.read().await.unwrap();
    let full = Seats { ordinary: 0, urgent: 1 };
    let taken = outbox::claim(&mut db, 1, &[], full, at(1)).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert!(taken[0].is_urgent && taken[0].lane == signal.lane.key());
    let taken = outbox::claim(&mut db, 1, &[signal.lane.key()], ONE_EACH, at(1))
        .await
        .unwrap();
    assert_eq!(taken.iter().map(|lane| lane.is_urgent).collect::<Vec<_>>(), [false]);

    let version = outbox::head(&mut db, signal.lane.key()).await.unwrap().version;
    outbox::remove(&mut db, &[signal.id]).await.unwrap();
    queue(&store, &[candidates(&call)]).await;
    assert!(
        !outbox::sleep(&mut db, signal.lane.key(), 1, version).await.unwrap(),
        "there is more"
    );
    let version = outbox::head(&mut db, signal.lane.key()).await.unwrap().version;
    assert!(outbox::sleep(&mut db, signal.lane.key(), 1, version).await.unwrap());
    let lanes: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox_lanes WHERE is_urgent")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(lanes, 0);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_sender_knows_what_the_room_was_told(pool: PgPool) {
    let store = open(&pool).await;
    let here = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let call = ringing(here, ANNA, alice(), Some("c1"));
    save(&store, &call, None).await;
    let mut db = store.read().await.unwrap();
    let facts = |invited, answered| Facts {
        initiator: ANNA,
        ended: false,
        invited,
        answered,
    };
    assert_eq!(calls::facts(&mut db, call.id).await.unwrap(), Some(facts(false, false)));
    calls::told(&mut db, call.id, Told::Invite, "$i").await.unwrap();
    assert_eq!(calls::facts(&mut db, call.id).await.unwrap(), Some(facts(true, false)));
    calls::told(&mut db, call.id, Told::Answer, "$a").await.unwrap();
    assert_eq!(calls::facts(&mut db, call.id).await.unwrap(), Some(facts(true, true)));
    assert_eq!(calls::facts(&mut db, CallId(Uuid::from_u128(1))).await.unwrap(), None);
}

fn hangup(call: &str, party: &str) -> EarlyEvent {
    EarlyEvent {
        room: room(),
        event: CallEvent {
            call: call.to_owned(),
            party: Some(party.to_owned()),
            version: Version::V1,
            age_ms: 0,
            act: CallAct::Hangup(HangupReason::UserHangup),
        },
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn events_are_told_all_that_they_may_touch(pool: PgPool) {
    let store = open(&pool).await;
    let here = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let group = made(&store, Kind::Group, &[ANNA, BERT]).await;
    let portal = Effects {
        portals: vec![(here, room())],
        ..Effects::default()
    };
    write(&store, here, &portal).await;
    let call = ringing(here, ANNA, alice(), Some("c1"));
    let elsewhere = ringing(group, ANNA, BERT, None);
    save(&store, &call, None).await;
    save(&store, &elsewhere, None).await;
    let early = Effects {
        early: vec![hangup("c2", "one"), hangup("c2", "two"), hangup("c3", "three")],
        call_notices: vec![room()],
        ..Effects::default()
    };
    write(&store, here, &early).await;
    let mut db = store.read().await.unwrap();
    calls::set_enabled(&mut db, ANNA, false).await.unwrap();
    let names = ["c1", "c2", "c9"].map(str::to_owned);
    let rooms = [ROOM.to_owned()];
    let context = async |db: &mut PgConnection, seconds| {
        calls::context(db, &[here.0], &[here.0], &rooms, &names, at(seconds))
            .await
            .unwrap()
    };
    let known = context(&mut db, 2).await;
    assert_eq!(
        known.unfinished.into_values().collect::<Vec<_>>(),
        std::slice::from_ref(&call)
    );
    assert_eq!(known.known.into_iter().collect::<Vec<_>>(), [(here, "c1".to_owned())]);
    let parties: Vec<_> = known.early[&(room(), "c2".to_owned())]
        .iter()
        .map(|it| it.party.as_deref().unwrap())
        .collect();
    assert_eq!((parties, known.early.len()), (vec!["one", "two"], 1));
    assert!(known.busy.contains(&(ANNA, elsewhere.id)));
    assert_eq!(known.off.into_iter().collect::<Vec<_>>(), [ANNA]);
    assert!(known.noticed.contains(&room()));
    assert!(known.rung.is_empty());

    let later = context(&mut db, 700).await;
    assert!(later.early.is_empty() && later.noticed.is_empty(), "their time is over");
    let taken = Effects {
        early_taken: vec![(room(), "c3".to_owned())],
        ..Effects::default()
    };
    write(&store, here, &taken).await;
    assert_eq!(calls::prune_early(&mut db, at(2)).await.unwrap(), 0);
    assert_eq!(
        calls::prune_early(&mut db, at(700)).await.unwrap(),
        2,
        "the third was taken"
    );
    let nothing = calls::context(&mut db, &[], &[], &[], &[], at(2)).await.unwrap();
    assert!(nothing.unfinished.is_empty() && nothing.busy.is_empty() && nothing.off.is_empty());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn everybody_can_switch_calls_off(pool: PgPool) {
    let store = open(&pool).await;
    let mut db = store.read().await.unwrap();
    assert_eq!(calls::enabled(&mut db, ANNA).await.unwrap(), Some(true));
    assert!(calls::set_enabled(&mut db, ANNA, false).await.unwrap());
    assert_eq!(calls::enabled(&mut db, ANNA).await.unwrap(), Some(false));
    let anywhere = ConversationId(Uuid::from_u128(1));
    assert_eq!(
        calls::unavailable(&mut db, &[ANNA, BERT], anywhere).await.unwrap(),
        (vec![], vec![ANNA])
    );
    // People on the other side can, too; strangers cannot.
    assert!(calls::set_enabled(&mut db, alice(), false).await.unwrap());
    assert_eq!(calls::enabled(&mut db, alice()).await.unwrap(), Some(false));
    let nobody = UserId(Uuid::from_u128(2));
    assert!(!calls::set_enabled(&mut db, nobody, false).await.unwrap());
    assert_eq!(calls::enabled(&mut db, nobody).await.unwrap(), None);
}
