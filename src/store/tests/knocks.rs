//! People who knock.

use super::*;
use crate::domain::event::{InboundEvent, Meaning, MemberEvent, RawEvent, RoomMembership};
use crate::domain::feed::Change;
use crate::domain::ghost::Ghosts;
use crate::domain::ingest::Knock;
use crate::store::{context, knocks};

const ROOM: &str = "!one:example.org";

async fn group(store: &Store) -> ConversationId {
    let it = conversation(Kind::Group, &[(ANNA, place(Role::Owner, Membership::Joined))]);
    let mut effects = making(&it);
    effects.portals.push((it.id, ROOM.try_into().unwrap()));
    write(store, it.id, &effects).await;
    it.id
}

fn knock(conversation: ConversationId, who: &str, reason: Option<&str>, seconds: i64) -> Effects {
    let knock = Knock {
        conversation,
        user: matrix_user_id(who),
        room: ROOM.try_into().unwrap(),
        reason: reason.map(str::to_owned),
        at: at(seconds),
    };
    Effects {
        knocks: vec![knock],
        ..Effects::default()
    }
}

async fn listed(store: &Store, id: ConversationId) -> Vec<(String, Option<String>, Timestamp)> {
    let mut connection = store.read().await.unwrap();
    let listed = knocks::list(&mut connection, id, None, 10).await.unwrap();
    let shown = |it: knocks::Knocker| (it.person.mxid.to_string(), it.reason, it.at);
    listed.into_iter().map(shown).collect()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn who_knocks_is_listed_until_they_do_not(pool: PgPool) {
    let store = open(&pool).await;
    let id = group(&store).await;
    write(&store, id, &knock(id, BOB, Some("later"), 5)).await;
    write(&store, id, &knock(id, ALICE, None, 4)).await;
    write(&store, id, &knock(id, ALICE, Some("it is me"), 4)).await;
    let expected = [
        (ALICE.to_owned(), Some("it is me".to_owned()), at(4)),
        (BOB.to_owned(), Some("later".to_owned()), at(5)),
    ];
    assert_eq!(listed(&store, id).await, expected);
    let mut connection = store.read().await.unwrap();
    let only = knocks::list(&mut connection, id, Some(alice()), 10).await.unwrap();
    assert_eq!((only.len(), only[0].person.id), (1, alice()));
    assert_eq!(knocks::list(&mut connection, id, Some(ANNA), 10).await.unwrap(), []);
    // Who leaves and knocks again in one transaction knocks.
    let mut again = knock(id, BOB, None, 7);
    again.unknocked = vec![(id, matrix_user_id(BOB)), (id, alice())];
    write(&store, id, &again).await;
    assert_eq!(listed(&store, id).await, [(BOB.to_owned(), None, at(7))]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_plan_knows_who_knocks_and_another_room_forgets_it(pool: PgPool) {
    let store = open(&pool).await;
    let id = group(&store).await;
    write(&store, id, &knock(id, BOB, Some("please"), 4)).await;
    let entered = async |room: &str, replaces: Option<&str>| {
        let member = MemberEvent {
            replaces: replaces.map(str::to_owned),
            ..MemberEvent::new(BOB.try_into().unwrap(), RoomMembership::Leave)
        };
        let event = InboundEvent {
            id: "$leave".to_owned(),
            room: room.try_into().unwrap(),
            sender: BOB.try_into().unwrap(),
            at: at(2),
            meaning: Meaning::Member(member),
        };
        let events = [RawEvent {
            raw: serde_json::value::RawValue::NULL.to_owned(),
            decoded: Ok(event),
        }];
        let ghosts = Ghosts::new(ruma::server_name!("example.org"));
        let mut tx = store.begin().await.unwrap();
        let rules = context::Rules::default();
        context::enter(&mut tx, ghosts, Vec::new(), &events, rules, at(2))
            .await
            .unwrap()
    };
    let context = entered(ROOM, Some("$seen")).await;
    assert_eq!(context.knocks[&(id, matrix_user_id(BOB))].as_deref(), Some("please"));
    assert!(context.seen.is_empty());
    let processed = Effects {
        processed: vec!["$seen".to_owned()],
        ..Effects::default()
    };
    write(&store, id, &processed).await;
    assert!(
        entered(ROOM, Some("$seen")).await.seen.contains("$seen"),
        "also what is replaced is looked for"
    );

    let upgraded = Effects {
        portals: vec![(id, "!two:example.org".try_into().unwrap())],
        ..Effects::default()
    };
    write(&store, id, &upgraded).await;
    assert!(entered("!two:example.org", None).await.knocks.is_empty());
    assert_eq!(listed(&store, id).await, []);
}

#[test]
fn a_knock_survives_the_feeds_json() {
    let change = Change::Knocked {
        user: alice(),
        username: ALICE.to_owned(),
        display_name: "Alice".to_owned(),
        reason: None,
    };
    let json = serde_json::to_string(&change).unwrap();
    assert_eq!(serde_json::from_str::<Change>(&json).unwrap(), change);
}
