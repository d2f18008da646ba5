//! Requests, blocks, and where people are.

use super::*;
use crate::domain::conversation::pair;
use crate::domain::event::{InboundEvent, Meaning, MemberEvent, RawEvent, RoomMembership};
use crate::domain::feed::{Change, FeedEvent};
use crate::domain::ghost::Ghosts;
use crate::domain::ingest::{LocationShare, MemberEdit, NewRequest, plan_plain};
use crate::domain::media::{Media, Place};
use crate::domain::request::{Admission, Answer, DmPermission};
use crate::store::blocks::{self, Relation};
use crate::store::{context, conversations, feed, locations, people, requests};

const ROOM: &str = "!one:example.org";

/// A direct conversation with a room, to which Alice asks Anna.
async fn asked(store: &Store) -> ConversationId {
    let mut it = conversation(
        Kind::Direct,
        &[(alice(), JOINED), (ANNA, place(Role::Member, Membership::Invited))],
    );
    it.created_by = alice();
    let mut effects = making(&it);
    effects.portals.push((it.id, ROOM.try_into().unwrap()));
    effects.requests.push(NewRequest {
        conversation: it.id,
        user: ANNA,
        by: alice(),
    });
    let told = NewEntry::change(it.id, Change::Requested { by: alice() });
    effects.feed.push(told.only_for(ANNA));
    write(store, it.id, &effects).await;
    it.id
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_request_is_there_until_it_is_answered(pool: PgPool) {
    let store = open(&pool).await;
    let id = asked(&store).await;
    let mut connection = store.read().await.unwrap();
    let asked = async |connection: &mut PgConnection, by| {
        let place = conversations::place(connection, id, by).await.unwrap();
        place.unwrap().asked
    };
    assert_eq!(asked(&mut connection, alice()).await, Some(ANNA));
    let said = [
        message(id, alice(), 1, "before"),
        message(id, alice(), 2, "Hello"),
        message(id, alice(), 3, "?"),
    ];
    let mut said = said.to_vec();
    said[0].created_at = at(0);
    write(&store, id, &saying(said)).await;
    let listed = requests::list(&mut connection, ANNA).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (
            listed[0].conversation,
            listed[0].by,
            &*listed[0].mxid,
            listed[0].said.as_deref(),
            listed[0].since
        ),
        (id, alice(), ALICE, Some("Hello"), at(1)),
        "what was said before they were asked is not shown"
    );
    assert_eq!(requests::list(&mut connection, alice()).await.unwrap(), []);
    assert_eq!(asked(&mut connection, alice()).await, None, "they were told something");
    assert_eq!(requests::between(&mut connection, ANNA, alice()).await.unwrap(), [id]);
    let found = requests::asked(&mut connection, id, ANNA).await.unwrap();
    assert_eq!(found, Some((alice(), Membership::Invited)));
    assert_eq!(
        requests::asked(&mut connection, id, alice()).await.unwrap(),
        None,
        "nobody asked her"
    );

    // Whoever came knows who asked; whoever left does not.
    for (now, left) in [(Some(JOINED), Some((alice(), Membership::Joined))), (None, None)] {
        let effects = Effects {
            members: vec![edit(id, ANNA, now)],
            ..Effects::default()
        };
        write(&store, id, &effects).await;
        assert_eq!(requests::list(&mut connection, ANNA).await.unwrap(), []);
        assert_eq!(requests::asked(&mut connection, id, ANNA).await.unwrap(), left);
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn whoever_is_asked_reads_of_the_feed_what_is_for_them_alone(pool: PgPool) {
    let store = open(&pool).await;
    let id = asked(&store).await;
    let first = message(id, alice(), 1, "Hello");
    let mut effects = saying(vec![first.clone()]);
    effects.feed.push(NewEntry {
        message: Some(first.id),
        ..NewEntry::change(id, Change::Requested { by: alice() }).only_for(ANNA)
    });
    write(&store, id, &effects).await;
    let mut connection = store.read().await.unwrap();
    whole_feed(&mut connection).await;
    let page = feed::of_user(&mut connection, ANNA, None, Cursor::default(), i64::MAX, 10)
        .await
        .unwrap();
    let (alone, with) = (&page.entries[0], &page.entries[1]);
    assert_eq!(page.entries.len(), 2);
    assert_eq!(alone.event, FeedEvent::Change(Change::Requested { by: alice() }));
    let by = alice();
    assert!(matches!(&with.event, FeedEvent::Requested { by: it, message } if *it == by && message.id == first.id));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn whoever_is_asked_no_more_reads_that_of_the_feed_and_nothing_else(pool: PgPool) {
    let store = open(&pool).await;
    let other = made(&store, Kind::Group, &[ANNA, BERT]).await;
    let id = asked(&store).await;
    let answer = Answer::Withdrawn;
    let mut effects = saying(vec![message(id, alice(), 1, "Hello")]);
    effects.members.push(MemberEdit {
        conversation: id,
        user: ANNA,
        member: None,
    });
    let gone = Change::MemberLeft {
        by: alice(),
        user: ANNA,
    };
    effects.feed.push(NewEntry::change(id, gone));
    let told = NewEntry::change(id, Change::Answered { answer });
    effects.feed.push(told.only_for(ANNA));
    write(&store, id, &effects).await;
    write(&store, other, &saying(vec![message(other, ANNA, 1, "x")])).await;
    let mut connection = store.read().await.unwrap();
    let whole = whole_feed(&mut connection).await;
    let read = async |connection: &mut Session, user, only, cursor, limit| {
        feed::of_user(connection, user, only, cursor, i64::MAX, limit)
            .await
            .unwrap()
            .entries
    };
    let all = read(&mut connection, ANNA, None, Cursor::default(), 10).await;
    assert_eq!(all.len(), 2, "of what is gone only that it is: {all:?}");
    assert_eq!(all[0].event, FeedEvent::Change(Change::Answered { answer }));
    assert!(matches!(all[1].event, FeedEvent::Message(_)));
    assert!(whole.contains(&all[0]), "with its place");
    assert_eq!(read(&mut connection, ANNA, None, Cursor::default(), 1).await, all[..1]);
    assert_eq!(read(&mut connection, ANNA, None, all[0].cursor, 10).await, all[1..]);
    assert_eq!(
        read(&mut connection, ANNA, Some(other), Cursor::default(), 10).await,
        all[1..]
    );
    assert_eq!(read(&mut connection, BERT, None, Cursor::default(), 10).await, all[1..]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn doors_are_shut_by_blocks_and_by_permissions(pool: PgPool) {
    let store = open(&pool).await;
    let mut connection = store.read().await.unwrap();
    let admitted = async |connection: &mut PgConnection, usual| {
        let doors = blocks::doors(connection, alice(), &[ANNA, BERT], usual).await.unwrap();
        [ANNA, BERT].map(|user| doors.admission(user, alice()))
    };
    let (join, ask, decline) = (Admission::Join, Admission::Ask, Admission::Decline);
    assert_eq!(admitted(&mut connection, DmPermission::Anyone).await, [join, join]);
    assert_eq!(admitted(&mut connection, DmPermission::Mutuals).await, [ask, ask]);
    let direct = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let group = made(&store, Kind::Group, &[ANNA, BERT, alice()]).await;
    assert_eq!(admitted(&mut connection, DmPermission::Followers).await, [join, ask]);
    assert_eq!(admitted(&mut connection, DmPermission::Nobody).await, [ask, ask]);
    blocks::set_permission(&mut connection, BERT, DmPermission::Anyone)
        .await
        .unwrap();
    let own = blocks::permission(&mut connection, BERT).await.unwrap();
    assert_eq!(
        (own, blocks::permission(&mut connection, ANNA).await.unwrap()),
        (Some(DmPermission::Anyone), None)
    );
    assert_eq!(admitted(&mut connection, DmPermission::Nobody).await, [ask, join]);
    assert!(
        blocks::block(&mut connection, ANNA, alice(), Some("spam"), at(1))
            .await
            .unwrap()
    );
    assert!(
        !blocks::block(&mut connection, ANNA, alice(), None, at(2))
            .await
            .unwrap(),
        "it is no news"
    );
    assert_eq!(admitted(&mut connection, DmPermission::Anyone).await, [decline, join]);
    // Of who types in the direct conversation nothing is shown.
    let (mut types, them) = (Vec::new(), [ANNA.0, alice().0]);
    for id in [direct, group] {
        let among = conversations::joined_among(&mut connection, id, &them).await.unwrap();
        types.push(among.len());
    }
    assert_eq!(types, [1, 2]);
    let listed = blocks::list(&mut connection, ANNA).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].reason.as_deref(), listed[0].since),
        (1, Some("spam"), at(1))
    );
    let relation = blocks::relation(&mut connection, ANNA, alice()).await.unwrap();
    let expected = Relation {
        follows: true,
        followed: true,
        blocks: true,
        blocked: false,
    };
    assert_eq!(relation, expected);
    assert_eq!(
        blocks::relation(&mut connection, BERT, ANNA).await.unwrap(),
        Relation::default()
    );
    assert!(blocks::unblock(&mut connection, ANNA, alice()).await.unwrap());
    assert!(!blocks::unblock(&mut connection, ANNA, alice()).await.unwrap());
}

fn event(meaning: Meaning) -> RawEvent {
    RawEvent {
        raw: serde_json::value::to_raw_value("x").unwrap(),
        decoded: Ok(InboundEvent {
            id: "$1".to_owned(),
            room: ROOM.try_into().unwrap(),
            sender: ALICE.try_into().unwrap(),
            at: at(2),
            meaning,
        }),
    }
}

fn text() -> Meaning {
    Meaning::Message {
        text: Text::plain("psst"),
        reply: None,
        marker: None,
        notice: false,
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn who_blocks_and_who_is_blocked_are_apart_and_in_direct_conversations_hushed(pool: PgPool) {
    let store = open(&pool).await;
    let direct = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let group = made(&store, Kind::Group, &[ANNA, alice()]).await;
    let mut connection = store.read().await.unwrap();
    let all = [ANNA.0, alice().0];
    let places = [(direct, ANNA), (direct, alice()), (group, ANNA), (group, alice())];
    let none = blocks::hushed(&mut connection, &places).await.unwrap();
    assert!(none.is_empty());
    blocks::block(&mut connection, ANNA, alice(), None, at(1))
        .await
        .unwrap();
    for (user, other) in [(ANNA, alice()), (alice(), ANNA)] {
        let apart = blocks::apart(&mut connection, user, &all).await.unwrap();
        assert_eq!(apart, [other].into());
        assert!(blocks::apart(&mut connection, user, &[]).await.unwrap().is_empty());
        let seen = people::acquainted(&mut connection, user, &[other]).await.unwrap();
        assert_eq!(seen, [], "whoever is there is not shown to the other one");
    }
    let pairs = [(ANNA, alice()), (alice(), ANNA)].into();
    for user in [ANNA, alice()] {
        assert_eq!(
            blocks::all_apart(&mut connection, &[user.0, BERT.0]).await.unwrap(),
            pairs
        );
    }
    assert_eq!(blocks::all_apart(&mut connection, &[BERT.0]).await.unwrap(), [].into());
    let hushed = blocks::hushed(&mut connection, &places).await.unwrap();
    assert_eq!(hushed, [(direct, ANNA), (direct, alice())].into());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_plan_knows_whose_doors_are_shut_to_those_it_is_about(pool: PgPool) {
    let store = open(&pool).await;
    let ghosts = || Ghosts::new(ruma::server_name!("example.org"));
    let invite = Meaning::Member(MemberEvent {
        is_direct: true,
        ..MemberEvent::new(
            format!("@nova-{ANNA}:example.org").try_into().unwrap(),
            RoomMembership::Invite,
        )
    });
    let rules = context::Rules {
        dm_permission: DmPermission::Mutuals,
        ..context::Rules::default()
    };
    let entered = async |events: &[RawEvent]| {
        let mut tx = store.begin().await.unwrap();
        context::enter(&mut tx, ghosts(), Vec::new(), events, rules, at(2))
            .await
            .unwrap()
    };
    let stranger = entered(&[event(invite.clone())]).await;
    assert_eq!(stranger.doors.asks.into_iter().collect::<Vec<_>>(), [(ANNA, alice())]);
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let portal = Effects {
        portals: vec![(id, ROOM.try_into().unwrap())],
        ..Effects::default()
    };
    write(&store, id, &portal).await;
    assert!(entered(&[event(invite)]).await.doors.asks.is_empty());
    let said = entered(&[event(text())]).await;
    assert!(
        said.doors.blocks.is_empty() && said.conversations[&id].members.is_empty(),
        "nobody is read for nothing"
    );

    let mut connection = store.read().await.unwrap();
    blocks::block(&mut connection, ANNA, alice(), None, at(1))
        .await
        .unwrap();
    let said = entered(&[event(text())]).await;
    assert_eq!(said.doors.blocks.into_iter().collect::<Vec<_>>(), [(ANNA, alice())]);
    assert_eq!(said.conversations[&id].members.len(), 2, "who hears it is known");
    assert!(said.people.contains(&alice()));

    // The short way is not for what somebody may not want to hear.
    let run = store.server().trusted();
    let plain = || plan_plain(ghosts(), Vec::new(), at(2), vec![event(text())], &mut Uuid::now_v7).unwrap();
    assert!(!store.say_in_rooms(&plain(), at(2), run).await.unwrap());
    blocks::unblock(&mut connection, ANNA, alice()).await.unwrap();
    assert!(store.say_in_rooms(&plain(), at(2), run).await.unwrap());
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn places_are_seen_by_those_in_the_conversation_until_they_are_stopped(pool: PgPool) {
    let store = open(&pool).await;
    assert!(ANNA < BERT && pair(ANNA, BERT).0 == ANNA);
    let (ours, group) = (
        made(&store, Kind::Direct, &[ANNA, BERT]).await,
        made(&store, Kind::Group, &[ANNA, BERT, alice()]).await,
    );
    let shares = async |id, sequence, latitude| {
        let place = Place::new(latitude, 0.0, None).unwrap();
        let mut said = message(id, ANNA, sequence, "");
        said.text = Text::carrying(Media::Place(place), "");
        let mut effects = saying(vec![said.clone()]);
        effects.shares.push(LocationShare {
            conversation: id,
            user: ANNA,
            message: said.id,
        });
        write(&store, id, &effects).await;
    };
    shares(ours, 1, 1.0).await;
    shares(ours, 2, 2.0).await;
    let mut connection = store.read().await.unwrap();
    let seen = async |connection: &mut Session, user| {
        let around = locations::around(connection, user).await.unwrap();
        around
            .iter()
            .map(|it| (it.user, it.conversation, it.place.degrees().0))
            .collect::<Vec<_>>()
    };
    assert_eq!(seen(&mut connection, BERT).await, [(ANNA, ours, 2.0)]);
    assert_eq!(
        (seen(&mut connection, ANNA).await, seen(&mut connection, alice()).await),
        (vec![], vec![])
    );
    blocks::block(&mut connection, BERT, ANNA, None, at(1)).await.unwrap();
    assert_eq!(seen(&mut connection, BERT).await, []);
    blocks::unblock(&mut connection, BERT, ANNA).await.unwrap();
    shares(group, 1, 3.0).await;
    assert_eq!(seen(&mut connection, BERT).await.len(), 1, "each once");
    assert_eq!(seen(&mut connection, alice()).await, [(ANNA, group, 3.0)]);
    assert!(locations::stop(&mut connection, group, ANNA).await.unwrap());
    assert!(!locations::stop(&mut connection, group, ANNA).await.unwrap());
    assert_eq!(seen(&mut connection, BERT).await, [(ANNA, ours, 2.0)]);
    let effects = Effects {
        members: vec![edit(ours, ANNA, None)],
        ..Effects::default()
    };
    write(&store, ours, &effects).await;
    assert_eq!(seen(&mut connection, BERT).await, [], "who left is seen no more");
}
