//! Conversations, members and portals, written and listed.

use super::*;
use crate::domain::ingest::ConversationEdit;
use crate::store::lists::Which;
use crate::store::{conversations, lists};

fn portal(id: ConversationId, room: &str) -> Effects {
    Effects {
        portals: vec![(id, room.try_into().unwrap())],
        ..Effects::default()
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_conversation_comes_back_with_its_members(pool: PgPool) {
    let store = open(&pool).await;
    let owner = place(Role::Owner, Membership::Joined);
    let invited = place(Role::Member, Membership::Invited);
    let mut group = conversation(Kind::Group, &[(ANNA, owner), (alice(), invited)]);
    group.name = Some("Club".to_owned());
    write(&store, group.id, &making(&group)).await;
    let mut connection = store.read().await.unwrap();
    assert_eq!(
        conversations::find(&mut connection, group.id).await.unwrap(),
        Some(group.clone())
    );
    let nobody = ConversationId(Uuid::nil());
    assert_eq!(conversations::find(&mut connection, nobody).await.unwrap(), None);
    assert_eq!(
        conversations::takes_part(&mut connection, group.id, ANNA)
            .await
            .unwrap(),
        Some(true)
    );
    assert_eq!(
        conversations::takes_part(&mut connection, group.id, alice())
            .await
            .unwrap(),
        Some(false)
    );
    assert_eq!(
        conversations::takes_part(&mut connection, nobody, ANNA).await.unwrap(),
        None
    );
    let place = conversations::place(&mut connection, group.id, ANNA)
        .await
        .unwrap()
        .unwrap();
    assert!(place.takes_part && place.has_portal && place.last_sequence == 0);
    assert_eq!(conversations::place(&mut connection, nobody, ANNA).await.unwrap(), None);
    assert_eq!(
        conversations::audience(&mut connection, &[group.id]).await.unwrap(),
        [(group.id, ANNA)]
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn members_change_and_the_last_word_counts(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Group, &[ANNA, BERT]).await;
    let admin = place(Role::Admin, Membership::Joined);
    let effects = Effects {
        members: vec![
            edit(id, ANNA, None),
            edit(id, ANNA, Some(admin)),
            edit(id, alice(), Some(JOINED)),
            edit(id, alice(), None),
            edit(id, BERT, None),
        ],
        edits: vec![ConversationEdit {
            conversation: id,
            name: Some("Club".to_owned()),
            description: Some("Talk".to_owned()),
            avatar_url: None,
        }],
        ..Effects::default()
    };
    write(&store, id, &effects).await;
    let mut connection = store.read().await.unwrap();
    let found = conversations::find(&mut connection, id).await.unwrap().unwrap();
    assert_eq!(roles(&found.members), [(ANNA, Role::Admin, Membership::Joined)]);
    assert_eq!(
        (found.name.as_deref(), found.description.as_deref()),
        (Some("Club"), Some("Talk"))
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn two_people_have_one_direct_conversation_and_the_slower_one_runs_into_it(pool: PgPool) {
    let store = open(&pool).await;
    let members = [(ANNA, JOINED), (alice(), JOINED)];
    let (one, two) = (
        conversation(Kind::Direct, &members),
        conversation(Kind::Direct, &members),
    );
    let mut first = store.begin().await.unwrap();
    apply(&mut first, store.clock_base(), &making(&one), at(0))
        .await
        .unwrap();
    let mut second = store.begin().await.unwrap();
    let waiting = pid(&mut second).await;
    let making_two = making(&two);
    let (slower, ()) = tokio::join!(apply(&mut second, store.clock_base(), &making_two, at(0)), async {
        until_blocked(&pool, waiting).await;
        first.commit().await.unwrap();
    });
    assert_eq!(slower.unwrap_err().conflict(), Some("direct_conversations_pkey"));
    drop(second);
    let mut connection = store.read().await.unwrap();
    for (a, b) in [(ANNA, alice()), (alice(), ANNA)] {
        assert_eq!(
            conversations::direct(&mut connection, a, b).await.unwrap(),
            Some(one.id)
        );
    }
    assert_eq!(conversations::direct(&mut connection, ANNA, BERT).await.unwrap(), None);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_conversation_that_becomes_a_group_frees_its_pair_for_another_one_at_once(pool: PgPool) {
    let store = open(&pool).await;
    let old = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let new = conversation(Kind::Direct, &[(ANNA, JOINED), (alice(), JOINED)]);
    let mut effects = making(&new);
    effects.regrouped.push(old);
    write(&store, old, &effects).await;
    let mut connection = store.read().await.unwrap();
    assert_eq!(
        conversations::direct(&mut connection, ANNA, alice()).await.unwrap(),
        Some(new.id)
    );
    assert_eq!(
        conversations::find(&mut connection, old).await.unwrap().unwrap().kind,
        Kind::Group
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_room_moves_on_and_the_one_before_is_remembered(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Group, &[ANNA]).await;
    let mut connection = store.read().await.unwrap();
    assert_eq!(conversations::room_of(&mut connection, id).await.unwrap(), None);
    for room in ["!one:x", "!two:x", "!one:x"] {
        write(&store, id, &portal(id, room)).await;
        assert_eq!(
            conversations::room_of(&mut connection, id).await.unwrap().as_deref(),
            Some(room)
        );
        assert_eq!(conversations::of_room(&mut connection, room).await.unwrap(), Some(id));
    }
    let former = Effects {
        former: vec![(id, "!never:x".try_into().unwrap()), (id, "!two:x".try_into().unwrap())],
        wants_portal: vec![id],
        ..Effects::default()
    };
    write(&store, id, &former).await;
    let rooms: Vec<String> = sqlx::query_scalar("SELECT matrix_room_id FROM former_rooms ORDER BY 1")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    assert_eq!(rooms, ["!never:x", "!two:x"]);
    let other = made(&store, Kind::Group, &[BERT]).await;
    let mut tx = store.begin().await.unwrap();
    let taken = apply(&mut tx, store.clock_base(), &portal(other, "!one:x"), at(0)).await;
    assert_eq!(
        taken.unwrap_err().conflict(),
        Some("matrix_room_mapping_matrix_room_id_key")
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_deleted_conversation_is_gone_and_its_pair_and_its_room_are_free(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    write(&store, id, &portal(id, "!one:x")).await;
    let mut connection = store.read().await.unwrap();
    conversations::delete(&mut connection, id, at(5)).await.unwrap();
    assert_eq!(conversations::find(&mut connection, id).await.unwrap(), None);
    assert_eq!(
        conversations::direct(&mut connection, ANNA, alice()).await.unwrap(),
        None
    );
    assert_eq!(
        conversations::takes_part(&mut connection, id, ANNA).await.unwrap(),
        None
    );
    assert!(
        lists::of_user(&mut connection, ANNA, Which::Archived(false), 10, 0)
            .await
            .unwrap()
            .is_empty()
    );
    let again = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    write(&store, again, &portal(again, "!one:x")).await;
    assert_eq!(
        conversations::of_room(&mut connection, "!one:x").await.unwrap(),
        Some(again)
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn lists_show_the_liveliest_first_with_their_newest_message(pool: PgPool) {
    let store = open(&pool).await;
    let quiet = made(&store, Kind::Group, &[ANNA, BERT]).await;
    let lively = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    write(&store, quiet, &portal(quiet, "!one:x")).await;
    let mut tx = store.begin().await.unwrap();
    conversations::lock(&mut tx, &[lively]).await.unwrap();
    let said = [message(lively, ANNA, 1, "one"), message(lively, alice(), 2, "two")];
    apply(&mut tx, store.clock_base(), &saying(said.to_vec()), at(60))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut connection = store.read().await.unwrap();
    let all = lists::of_user(&mut connection, ANNA, Which::Archived(false), 10, 0)
        .await
        .unwrap();
    assert_eq!(all.iter().map(|it| it.id).collect::<Vec<_>>(), [lively, quiet]);
    let last = all[0].last_message.as_ref().unwrap();
    assert_eq!((last.content.as_str(), last.sender), ("two", alice()));
    assert_eq!(
        (all[1].last_message.as_ref(), all[1].room.as_deref()),
        (None, Some("!one:x"))
    );
    assert_eq!(
        lists::of_user(&mut connection, ANNA, Which::Archived(false), 1, 1)
            .await
            .unwrap(),
        all[1..]
    );
    assert_eq!(
        lists::of_user(&mut connection, BERT, Which::Only(quiet), 10, 0)
            .await
            .unwrap(),
        all[1..]
    );
    assert!(
        lists::of_user(&mut connection, BERT, Which::Only(lively), 10, 0)
            .await
            .unwrap()
            .is_empty()
    );
    let portals = lists::portals(&mut connection, None, 10).await.unwrap();
    assert_eq!(
        (portals.len(), portals[0].conversation, portals[0].room.as_str()),
        (1, quiet, "!one:x")
    );
    assert!(
        lists::portals(&mut connection, Some(quiet), 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn members_are_listed_page_by_page(pool: PgPool) {
    let store = open(&pool).await;
    let one = made(&store, Kind::Group, &[ANNA, BERT, alice()]).await;
    let two = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let mut connection = store.read().await.unwrap();
    let all = lists::list_members(&mut connection, &[one, two], 10, 0).await.unwrap();
    assert_eq!(all.len(), 5);
    let alice = all.iter().find(|it| it.person.id == alice()).unwrap();
    assert_eq!(alice.person, matrix_user(ALICE, Some("Alice")));
    assert_eq!((alice.member, alice.joined_at), (JOINED, at(1)));
    assert_eq!(
        lists::list_members(&mut connection, &[one, two], 2, 1)
            .await
            .unwrap()
            .len(),
        3
    );
    assert_eq!(lists::count_members(&mut connection, one).await.unwrap(), 3);
    assert_eq!(
        lists::count_members(&mut connection, ConversationId(Uuid::nil()))
            .await
            .unwrap(),
        0
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn conversations_rooms_and_pictures_are_looked_up_for_somebody(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Group, &[ANNA, BERT]).await;
    let gone = made(&store, Kind::Group, &[ANNA]).await;
    write(&store, id, &portal(id, "!one:x")).await;
    let picture = Effects {
        edits: vec![ConversationEdit {
            conversation: id,
            name: None,
            description: None,
            avatar_url: Some("mxc://a/group".to_owned()),
        }],
        ..Effects::default()
    };
    write(&store, id, &picture).await;
    let mut connection = store.read().await.unwrap();
    conversations::delete(&mut connection, gone, at(5)).await.unwrap();
    assert_eq!(lists::count_of_user(&mut connection, ANNA, false).await.unwrap(), 1);
    assert_eq!(lists::count_of_user(&mut connection, alice(), false).await.unwrap(), 0);
    let rooms = lists::rooms_of_user(&mut connection, ANNA).await.unwrap();
    assert_eq!(rooms, [(id, "!one:x".to_owned())]);
    let avatar = lists::avatar(&mut connection, id.0).await.unwrap();
    assert_eq!(avatar.as_deref(), Some("mxc://a/group"));
    assert_eq!(lists::avatar(&mut connection, ANNA.0).await.unwrap(), None);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_group_takes_a_room_from_a_direct_conversation_with_all_that_is_known_of_it(pool: PgPool) {
    let store = open(&pool).await;
    let direct = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    write(&store, direct, &portal(direct, "!one:x")).await;
    let mut second = portal(direct, "!two:x");
    second.moved.push(direct);
    second.creators = vec![("!two:x".try_into().unwrap(), vec![ALICE.to_owned()])];
    second.encrypted = vec!["!two:x".try_into().unwrap()];
    second.touched = vec!["!two:x".try_into().unwrap()];
    write(&store, direct, &second).await;
    // A room in use, and one that was left behind.
    for (room, left) in [("!two:x", None), ("!one:x", None)] {
        let group = conversation(Kind::Group, &[(ANNA, JOINED), (BERT, JOINED)]);
        let mut effects = making(&group);
        effects.portals = portal(group.id, room).portals;
        effects.split_off.push((group.id, direct));
        write(&store, direct, &effects).await;
        let mut connection = store.read().await.unwrap();
        assert_eq!(
            conversations::of_room(&mut connection, room).await.unwrap(),
            Some(group.id)
        );
        assert_eq!(conversations::room_of(&mut connection, direct).await.unwrap(), left);
    }
    let known: (i64, Vec<String>, bool) = sqlx::query_as(
        "SELECT state_version, creators, encrypted_at IS NOT NULL FROM matrix_room_mapping WHERE matrix_room_id = '!two:x'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(known, (1, vec![ALICE.to_owned()], true));
    let former: i64 = sqlx::query_scalar("SELECT count(*) FROM former_rooms")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(former, 0);
    let mut connection = store.read().await.unwrap();
    assert_eq!(
        conversations::direct(&mut connection, ANNA, alice()).await.unwrap(),
        Some(direct)
    );
}
