//! Lanes: claimed by living nodes, head first, asleep when empty.

use super::*;
use crate::domain::ids::OutboxId;
use crate::domain::job::{Job, Lane, NewJob};
use crate::store::nodes::Presence;
use crate::store::outbox::{self, Claimed, Seats};

fn job(lane: Lane) -> NewJob {
    NewJob {
        id: OutboxId(Uuid::now_v7()),
        lane,
        actor: ANNA,
        message: None,
        job: Job::ProvisionGhost,
    }
}

const LANE: Lane = Lane::Account(ANNA);
const OTHER: Lane = Lane::Account(BERT);

async fn add(store: &Store, jobs: &[NewJob], seconds: i64) {
    let mut connection = store.read().await.unwrap();
    outbox::add(&mut connection, jobs, at(seconds)).await.unwrap();
}

async fn claim(store: &Store, node: i32, at_work: &[Uuid], seconds: i64) -> Vec<Claimed> {
    let mut connection = store.read().await.unwrap();
    outbox::claim(&mut connection, node, at_work, seats(10, 10), at(seconds))
        .await
        .unwrap()
}

const fn seats(ordinary: i64, urgent: i64) -> Seats {
    Seats { ordinary, urgent }
}

/// A number that no other test's node has: advisory locks are told apart by database, numbers by nobody.
async fn alive(store: &Store, node: i32) -> Presence {
    Presence::hold(store, node).await.unwrap().unwrap()
}

fn claimed(lane: Lane, abandoned: bool) -> Claimed {
    Claimed {
        lane: lane.key(),
        abandoned,
        is_urgent: lane.is_urgent(),
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn jobs_of_a_lane_are_done_head_first_and_its_end_lets_it_sleep(pool: PgPool) {
    let store = open(&pool).await;
    let jobs = [job(LANE), job(LANE)];
    add(&store, &[], 0).await;
    add(&store, &jobs, 0).await;
    let _node = alive(&store, 1).await;
    assert_eq!(claim(&store, 1, &[], 0).await, [claimed(LANE, false)]);
    let mut connection = store.read().await.unwrap();
    assert_eq!(outbox::depth(&mut connection).await.unwrap(), (2, Some(at(0))));
    for expected in &jobs {
        let head = outbox::head(&mut connection, LANE.key()).await.unwrap().job.unwrap();
        assert_eq!(
            (head.id, &head.job, head.attempts, head.uncertain),
            (expected.id, &expected.job, 0, false)
        );
        assert!(outbox::waits(&mut connection, head.id).await.unwrap());
        outbox::remove(&mut connection, &[head.id, head.id]).await.unwrap();
        outbox::remove(&mut connection, &[head.id]).await.unwrap();
        assert!(!outbox::waits(&mut connection, head.id).await.unwrap());
    }
    let head = outbox::head(&mut connection, LANE.key()).await.unwrap();
    assert_eq!((&head.job, head.leased_by), (&None, Some(1)));
    assert!(
        outbox::sleep(&mut connection, LANE.key(), 1, head.version)
            .await
            .unwrap()
    );
    assert_eq!(outbox::next_due(&mut connection).await.unwrap(), None);
    assert_eq!(outbox::depth(&mut connection).await.unwrap(), (0, None));
    assert!(claim(&store, 1, &[], 99).await.is_empty());
    add(&store, &[job(LANE)], 5).await;
    assert_eq!(outbox::next_due(&mut connection).await.unwrap(), Some(at(5)));
    assert_eq!(claim(&store, 1, &[], 5).await, [claimed(LANE, false)]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_lane_of_a_living_node_is_left_alone_and_one_of_a_dead_node_is_abandoned(pool: PgPool) {
    let store = open(&pool).await;
    add(&store, &[job(LANE)], 0).await;
    let one = alive(&store, 1).await;
    let mut two = alive(&store, 2).await;
    assert_eq!((one.node(), two.check(&store).await.unwrap()), (1, true));
    assert!(
        Presence::hold(&store, 1).await.unwrap().is_none(),
        "a number is one node's"
    );
    assert_eq!(claim(&store, 1, &[], 0).await, [claimed(LANE, false)]);
    assert!(claim(&store, 2, &[], 0).await.is_empty());
    drop(one);
    let taken = loop {
        // Postgres notices the end of the connection in its own time.
        let taken = claim(&store, 2, &[], 0).await;
        if !taken.is_empty() {
            break taken;
        }
    };
    assert_eq!(taken, [claimed(LANE, true)]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_node_whose_connection_was_cut_counts_as_alive_again_after_the_next_check(pool: PgPool) {
    let store = open(&pool).await;
    let mut node = alive(&store, 1).await;
    let holder = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 20261121
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    assert!(sqlx::query_scalar::<_, bool>(holder).fetch_one(&pool).await.unwrap());
    while !node.check(&store).await.unwrap() {}
    let living: Vec<i32> = sqlx::query_scalar("SELECT living_nodes()")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(living, [1]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_claim_whose_answer_was_lost_is_found_again_by_the_node_that_made_it(pool: PgPool) {
    let store = open(&pool).await;
    add(&store, &[job(LANE), job(OTHER)], 0).await;
    let _node = alive(&store, 1).await;
    assert_eq!(claim(&store, 1, &[], 0).await.len(), 2);
    assert_eq!(claim(&store, 1, &[OTHER.key()], 0).await, [claimed(LANE, true)]);
    let mut connection = store.read().await.unwrap();
    outbox::release(&mut connection, LANE.key(), 1).await.unwrap();
    assert!(
        claim(&store, 1, &[LANE.key(), OTHER.key()], 0).await.is_empty(),
        "its worker has not ended yet"
    );
    assert_eq!(claim(&store, 1, &[OTHER.key()], 0).await, [claimed(LANE, false)]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_is_added_while_a_lane_is_found_empty_keeps_it_awake(pool: PgPool) {
    let store = open(&pool).await;
    add(&store, &[job(LANE)], 0).await;
    let _node = alive(&store, 1).await;
    claim(&store, 1, &[], 0).await;
    let mut worker = store.read().await.unwrap();
    let head = outbox::head(&mut worker, LANE.key()).await.unwrap().job;
    outbox::remove(&mut worker, &[head.unwrap().id]).await.unwrap();
    let head = outbox::head(&mut worker, LANE.key()).await.unwrap();
    assert!(head.job.is_none());
    let mut adder = store.begin().await.unwrap();
    outbox::add(&mut adder, &[job(LANE)], at(1)).await.unwrap();
    let waiting = pid(&mut worker).await;
    let (asleep, ()) = tokio::join!(outbox::sleep(&mut worker, LANE.key(), 1, head.version), async {
        until_blocked(&pool, waiting).await;
        adder.commit().await.unwrap();
    });
    assert!(!asleep.unwrap(), "there is something to do");
    assert!(outbox::head(&mut worker, LANE.key()).await.unwrap().job.is_some());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_is_added_while_a_lane_falls_asleep_wakes_it(pool: PgPool) {
    let store = open(&pool).await;
    let first = job(LANE);
    add(&store, std::slice::from_ref(&first), 0).await;
    let _node = alive(&store, 1).await;
    claim(&store, 1, &[], 0).await;
    let mut worker = store.begin().await.unwrap();
    outbox::remove(&mut worker, &[first.id]).await.unwrap();
    let version = outbox::head(&mut worker, LANE.key()).await.unwrap().version;
    assert!(outbox::sleep(&mut worker, LANE.key(), 1, version).await.unwrap());
    let mut adder = store.begin().await.unwrap();
    let waiting = pid(&mut adder).await;
    let second = [job(LANE)];
    let (added, ()) = tokio::join!(outbox::add(&mut adder, &second, at(7)), async {
        until_blocked(&pool, waiting).await;
        worker.commit().await.unwrap();
    });
    added.unwrap();
    adder.commit().await.unwrap();
    let mut connection = store.read().await.unwrap();
    assert_eq!(outbox::next_due(&mut connection).await.unwrap(), Some(at(7)));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_failed_head_is_remembered_and_its_lane_waits_whatever_is_added(pool: PgPool) {
    let store = open(&pool).await;
    let head = job(LANE);
    add(&store, std::slice::from_ref(&head), 0).await;
    let _node = alive(&store, 1).await;
    claim(&store, 1, &[], 0).await;
    let mut connection = store.read().await.unwrap();
    let defer = async |connection: &mut PgConnection, uncertain, now, due| {
        let failure = outbox::Failure {
            error: "M_LIMIT_EXCEEDED",
            uncertain,
            due: at(due),
            told_to_wait: uncertain,
        };
        outbox::defer(connection, LANE.key(), 1, head.id, &failure, at(now))
            .await
            .unwrap();
    };
    defer(&mut connection, true, 1, 30).await;
    assert_eq!(
        outbox::hurry(&mut connection, at(1)).await.unwrap(),
        0,
        "it was told to wait"
    );
    assert_eq!(claim(&store, 1, &[], 30).await.len(), 1);
    defer(&mut connection, false, 2, 60).await;
    let stored = outbox::head(&mut connection, LANE.key()).await.unwrap().job.unwrap();
    assert_eq!(
        (stored.attempts, stored.uncertain, stored.first_tried_at),
        (2, true, Some(at(1)))
    );
    add(&store, &[job(LANE)], 3).await;
    assert!(claim(&store, 1, &[], 59).await.is_empty());
    assert_eq!(outbox::next_due(&mut connection).await.unwrap(), Some(at(60)));
    assert_eq!(outbox::hurry(&mut connection, at(10)).await.unwrap(), 1);
    assert_eq!(claim(&store, 1, &[], 10).await, [claimed(LANE, false)]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn two_nodes_share_the_lanes_and_a_limit_is_kept(pool: PgPool) {
    let store = open(&pool).await;
    let jobs: Vec<NewJob> = (1..=5)
        .map(|n| job(Lane::Account(UserId(Uuid::from_u128(n)))))
        .collect();
    add(&store, &jobs, 0).await;
    let (_one, _two) = (alive(&store, 1).await, alive(&store, 2).await);
    let mut tx = store.begin().await.unwrap();
    let first = outbox::claim(&mut tx, 1, &[], seats(2, 0), at(0)).await.unwrap();
    let second = claim(&store, 2, &[], 0).await;
    tx.commit().await.unwrap();
    assert_eq!(
        (first.len(), second.len()),
        (2, 3),
        "nobody waits for the other one's choice"
    );
    assert!(first.iter().all(|lane| !second.contains(lane)));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_node_that_lost_a_lane_cannot_give_it_away(pool: PgPool) {
    let store = open(&pool).await;
    let head = job(LANE);
    add(&store, std::slice::from_ref(&head), 0).await;
    let _two = alive(&store, 2).await;
    assert_eq!(claim(&store, 1, &[], 0).await, [claimed(LANE, false)]);
    assert_eq!(
        claim(&store, 2, &[], 0).await,
        [claimed(LANE, true)],
        "the first node does not count as alive"
    );
    let mut connection = store.read().await.unwrap();
    let failure = outbox::Failure {
        error: "too late",
        uncertain: true,
        due: at(60),
        told_to_wait: false,
    };
    outbox::release(&mut connection, LANE.key(), 1).await.unwrap();
    outbox::defer(&mut connection, LANE.key(), 1, head.id, &failure, at(1))
        .await
        .unwrap();
    outbox::remove(&mut connection, &[head.id]).await.unwrap();
    let now = outbox::head(&mut connection, LANE.key()).await.unwrap();
    assert!(
        !outbox::sleep(&mut connection, LANE.key(), 1, now.version)
            .await
            .unwrap()
    );
    assert_eq!(now.leased_by, Some(2));
    assert!(
        outbox::sleep(&mut connection, LANE.key(), 2, now.version)
            .await
            .unwrap()
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_room_is_made_before_what_waits_for_it(pool: PgPool) {
    let store = open(&pool).await;
    let mut create = job(LANE);
    create.job = Job::CreateRoom;
    let waiting = job(LANE);
    add(&store, &[waiting.clone(), job(OTHER), create.clone(), job(LANE)], 0).await;
    let mut connection = store.read().await.unwrap();
    for expected in [create.id, waiting.id] {
        let head = outbox::head(&mut connection, LANE.key()).await.unwrap().job.unwrap();
        assert_eq!(head.id, expected);
        outbox::remove(&mut connection, &[head.id]).await.unwrap();
    }
}
