//! Rooms that are spaces, and the spaces of accounts.

use std::collections::BTreeSet;

use super::*;
use crate::domain::job::{Job, Lane, NewJob};
use crate::domain::space::Concerned;
use crate::store::spaces::{self, Space};
use crate::store::{conversations, outbox, people};

fn room(name: &str) -> ruma::OwnedRoomId {
    format!("!{name}:example.org").try_into().unwrap()
}

/// A conversation with a room.
async fn with_room(store: &Store, name: &str, members: &[(UserId, Member)]) -> ConversationId {
    let it = conversation(Kind::Group, members);
    let mut effects = making(&it);
    effects.portals.push((it.id, room(name)));
    write(store, it.id, &effects).await;
    it.id
}

async fn children(store: &Store, user: UserId) -> Vec<String> {
    let mut connection = store.read().await.unwrap();
    let children = spaces::children(&mut connection, user).await.unwrap();
    children.into_iter().map(|it| it.room.to_string()).collect()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_space_holds_the_rooms_of_those_who_take_part(pool: PgPool) {
    let store = open(&pool).await;
    let tea = with_room(&store, "tea", &[(ANNA, JOINED), (alice(), JOINED)]).await;
    let invited = place(Role::Member, Membership::Invited);
    let cake = with_room(&store, "cake", &[(BERT, JOINED), (ANNA, invited)]).await;
    let gone = with_room(&store, "gone", &[(ANNA, JOINED)]).await;
    made(&store, Kind::Group, &[ANNA]).await;
    let mut tx = store.begin().await.unwrap();
    conversations::delete(&mut tx, gone, at(2)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(children(&store, ANNA).await, ["!tea:example.org"]);
    let coming = Effects {
        members: vec![edit(cake, ANNA, Some(JOINED))],
        portals: vec![(tea, room("more-tea"))],
        ..Effects::default()
    };
    write(&store, cake, &coming).await;
    assert_eq!(
        children(&store, ANNA).await,
        ["!more-tea:example.org", "!cake:example.org"]
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn changes_concern_the_nova_users_in_them(pool: PgPool) {
    let store = open(&pool).await;
    let tea = with_room(&store, "tea", &[(ANNA, JOINED), (BERT, JOINED), (alice(), JOINED)]).await;
    let roomless = made(&store, Kind::Group, &[ANNA]).await;
    let owners = async |members: &[(ConversationId, UserId)], conversations: &[ConversationId]| {
        let concerned = Concerned {
            members: members.iter().copied().collect::<BTreeSet<_>>(),
            conversations: conversations.iter().copied().collect(),
        };
        let mut connection = store.read().await.unwrap();
        spaces::owners(&mut connection, &concerned).await.unwrap()
    };
    assert_eq!(owners(&[(tea, alice()), (tea, ANNA)], &[]).await, [ANNA]);
    assert_eq!(owners(&[(tea, ANNA)], &[tea]).await, [ANNA, BERT], "each once");
    assert_eq!(owners(&[(roomless, ANNA)], &[]).await, [], "it has no room");
    let mut connection = store.read().await.unwrap();
    people::deactivate(&mut connection, ANNA, at(3)).await.unwrap();
    assert_eq!(owners(&[(tea, ANNA)], &[]).await, [], "deleted");
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_space_is_begun_before_it_is_made_and_missing_only_once(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.begin().await.unwrap();
    let missing = async |connection: &mut Tx, since| spaces::is_missing(connection, ANNA, at(since)).await.unwrap();
    assert_eq!(spaces::of(&mut connection, ANNA).await.unwrap(), Space::None);
    assert!(missing(&mut connection, 0).await);
    spaces::begin(&mut connection, ANNA, at(10)).await.unwrap();
    assert_eq!(spaces::of(&mut connection, ANNA).await.unwrap(), Space::Begun);
    assert!(!missing(&mut connection, 0).await, "tried a moment ago");
    assert!(missing(&mut connection, 10).await, "tried long ago");
    let job = NewJob {
        id: Uuid::now_v7().into(),
        lane: Lane::Space(ANNA),
        actor: ANNA,
        message: None,
        job: Job::SyncSpace,
    };
    outbox::add(&mut connection, std::slice::from_ref(&job), at(11))
        .await
        .unwrap();
    assert!(!missing(&mut connection, 10).await, "about to be made");
    assert_eq!(spaces::waiting(&mut connection, ANNA).await.unwrap(), [job.id]);
    assert_eq!(spaces::waiting(&mut connection, BERT).await.unwrap(), []);
    outbox::remove(&mut connection, &[job.id]).await.unwrap();
    for _ in 0..2 {
        spaces::made(&mut connection, ANNA, "!space:example.org", at(12))
            .await
            .unwrap();
    }
    assert_eq!(
        spaces::of(&mut connection, ANNA).await.unwrap(),
        Space::Made(room("space"))
    );
    assert!(!missing(&mut connection, 20).await);
    let rooms = ["space", "tea"].map(|name| room(name).to_string());
    let known = spaces::among(&mut connection, &rooms).await.unwrap();
    assert_eq!(known, [room("space")].into());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_conversation_that_is_dissolved_is_gone_and_its_room_a_space(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_room(&store, "games", &[(ANNA, JOINED)]).await;
    let effects = Effects {
        spaces: vec![room("games"), room("games")],
        dissolved: vec![id],
        ..Effects::default()
    };
    write(&store, id, &effects).await;
    let mut connection = store.read().await.unwrap();
    assert_eq!(conversations::find(&mut connection, id).await.unwrap(), None);
    let known = spaces::among(&mut connection, &[room("games").to_string()])
        .await
        .unwrap();
    assert_eq!(known, [room("games")].into());
    let none = Effects {
        no_spaces: vec![room("games")],
        ..Effects::default()
    };
    write(&store, id, &none).await;
    let known = spaces::among(&mut connection, &[room("games").to_string()])
        .await
        .unwrap();
    assert!(known.is_empty());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_room_of_a_conversation_that_is_dissolved_can_be_another_ones_at_once(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_room(&store, "games", &[(ANNA, JOINED)]).await;
    let other = made(&store, Kind::Group, &[ANNA]).await;
    let effects = Effects {
        dissolved: vec![id],
        portals: vec![(other, room("games"))],
        ..Effects::default()
    };
    write(&store, other, &effects).await;
    let mut connection = store.read().await.unwrap();
    let of_room = conversations::of_room(&mut connection, room("games").as_str())
        .await
        .unwrap();
    assert_eq!(of_room, Some(other));
}
