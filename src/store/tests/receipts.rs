//! Who has read what, and what their rooms have to be told of it.

use super::*;
use crate::domain::act::MessageAct;
use crate::domain::message::{Delivery, Gone};
use crate::domain::receipt::Read;
use crate::store::lists::Which;
use crate::store::receipts::{self, Due};
use crate::store::{conversations, lists};

fn read(conversation: ConversationId, user: UserId, sequence: i64) -> Read {
    Read {
        conversation,
        user,
        sequence,
    }
}

/// A conversation of Anna, Bert and Alice with five messages of Alice's.
async fn with_messages(store: &Store) -> ConversationId {
    let id = made(store, Kind::Group, &[ANNA, BERT, alice()]).await;
    let said = (1..=5).map(|n| NewMessage {
        event_id: Some(format!("${n}")),
        ..message(id, alice(), n, "x")
    });
    write(store, id, &saying(said.collect())).await;
    id
}

async fn advance(store: &Store, reads: &[Read]) -> Vec<Read> {
    let mut tx = store.begin().await.unwrap();
    let ids: Vec<ConversationId> = reads.iter().map(|it| it.conversation).collect();
    conversations::lock(&mut tx, &ids).await.unwrap();
    let moved = receipts::advance(&mut tx, reads).await.unwrap();
    tx.commit().await.unwrap();
    moved.into_iter().map(|(read, _)| read).collect()
}

async fn unread(store: &Store, user: UserId, id: ConversationId) -> i64 {
    let mut connection = store.read().await.unwrap();
    lists::of_user(&mut connection, user, Which::Only(id), 1, 0)
        .await
        .unwrap()[0]
        .unread
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn members_move_forward_only(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_messages(&store).await;
    assert_eq!(unread(&store, ANNA, id).await, 5);
    let both = [read(id, ANNA, 3), read(id, BERT, 4)];
    assert_eq!(advance(&store, &both).await, both);
    assert_eq!(advance(&store, &both).await, [], "twice");
    assert_eq!(
        advance(&store, &[read(id, ANNA, 2), read(id, BERT, 5)]).await,
        [read(id, BERT, 5)]
    );
    assert_eq!(unread(&store, ANNA, id).await, 2);
    assert_eq!(unread(&store, BERT, id).await, 0);
    let mut connection = store.read().await.unwrap();
    let place = receipts::place(&mut connection, id, ANNA).await.unwrap().unwrap();
    assert_eq!((place.read, place.last, place.has_portal), (3, 5, true));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn who_takes_no_part_has_read_nothing(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_messages(&store).await;
    let bob = matrix_user_id(BOB);
    let invited = place(Role::Member, Membership::Invited);
    write(
        &store,
        id,
        &Effects {
            members: vec![edit(id, bob, Some(invited)), edit(id, BERT, None)],
            ..Effects::default()
        },
    )
    .await;
    assert_eq!(advance(&store, &[read(id, bob, 5), read(id, BERT, 5)]).await, []);
    let mut connection = store.read().await.unwrap();
    assert_eq!(receipts::place(&mut connection, id, bob).await.unwrap(), None);
    assert_eq!(receipts::place(&mut connection, id, BERT).await.unwrap(), None);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_was_said_before_somebody_came_is_not_new_to_them(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Group, &[ANNA]).await;
    write(
        &store,
        id,
        &saying((1..=3).map(|n| message(id, ANNA, n, "x")).collect()),
    )
    .await;
    let comes = Effects {
        members: vec![edit(id, BERT, Some(JOINED))],
        ..Effects::default()
    };
    write(&store, id, &comes).await;
    assert_eq!(unread(&store, BERT, id).await, 0);
    write(&store, id, &saying(vec![message(id, ANNA, 4, "x")])).await;
    assert_eq!(unread(&store, BERT, id).await, 1);
    // A new word on the place changes nothing of it.
    write(&store, id, &comes).await;
    assert_eq!(unread(&store, BERT, id).await, 1);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn who_answers_has_read(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_messages(&store).await;
    let answer = Effects {
        reads: vec![read(id, ANNA, 6), read(id, ANNA, 7)],
        ..saying(vec![message(id, ANNA, 6, "a"), message(id, ANNA, 7, "b")])
    };
    write(&store, id, &answer).await;
    assert_eq!(unread(&store, ANNA, id).await, 0);
    assert_eq!(unread(&store, BERT, id).await, 7);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn events_and_rooms_are_found_where_they_belong(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_messages(&store).await;
    let gone = made(&store, Kind::Group, &[ANNA]).await;
    for (conversation, room) in [(id, "!old:x"), (id, "!new:x"), (gone, "!gone:x")] {
        let portal = Effects {
            portals: vec![(conversation, room.try_into().unwrap())],
            ..Effects::default()
        };
        write(&store, conversation, &portal).await;
    }
    let mut connection = store.read().await.unwrap();
    conversations::delete(&mut connection, gone, at(2)).await.unwrap();
    let names = ["!old:x", "!new:x", "!gone:x", "!none:x"].map(str::to_owned);
    let mut rooms: Vec<_> = receipts::rooms(&mut connection, &names)
        .await
        .unwrap()
        .into_iter()
        .collect();
    rooms.sort();
    assert_eq!(rooms, [("!new:x".to_owned(), id), ("!old:x".to_owned(), id)]);
    let events = ["$2", "$none"].map(str::to_owned);
    let found = receipts::messages_of(&mut connection, &events).await.unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [("$2".to_owned(), (id, 2))]);
}

async fn claim(store: &Store, seconds: i64) -> Vec<Due> {
    let mut connection = store.read().await.unwrap();
    receipts::claim(&mut connection, 10, at(seconds), at(seconds + 60))
        .await
        .unwrap()
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn however_often_somebody_reads_one_receipt_waits_and_it_is_the_newest(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_messages(&store).await;
    let mut connection = store.read().await.unwrap();
    for sequence in [1, 4, 3] {
        receipts::owe(&mut connection, read(id, ANNA, sequence), at(sequence))
            .await
            .unwrap();
    }
    assert_eq!(receipts::next_due(&mut connection).await.unwrap(), Some(at(1)));
    assert_eq!(claim(&store, 0).await, [], "not yet");
    let due = claim(&store, 10).await;
    assert_eq!(
        due,
        [Due {
            read: read(id, ANNA, 4),
            room: None,
            event: Some(("$4".to_owned(), 4)),
            waits: false,
            attempts: 0
        }]
    );
    assert_eq!(claim(&store, 10).await, [], "somebody is at it");
    assert_eq!(claim(&store, 71).await, due, "and died");
    receipts::settle(&mut connection, read(id, ANNA, 4), 4, at(72))
        .await
        .unwrap();
    assert_eq!(receipts::next_due(&mut connection).await.unwrap(), None);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_is_read_while_a_receipt_is_sent_is_sent_next(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_messages(&store).await;
    let mut connection = store.read().await.unwrap();
    receipts::owe(&mut connection, read(id, ANNA, 2), at(0)).await.unwrap();
    let first = claim(&store, 0).await.remove(0);
    receipts::owe(&mut connection, read(id, ANNA, 5), at(1)).await.unwrap();
    assert_eq!(claim(&store, 1).await, [], "one at a time");
    receipts::settle(&mut connection, first.read, 2, at(2)).await.unwrap();
    let second = claim(&store, 2).await.remove(0);
    assert_eq!((second.read.sequence, second.event), (5, Some(("$5".to_owned(), 5))));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_receipt_waits_for_its_message_to_be_in_the_room(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_messages(&store).await;
    let waiting = NewMessage {
        delivery: Some(Delivery::Pending),
        ..message(id, BERT, 6, "on its way")
    };
    let own = waiting.id;
    write(&store, id, &saying(vec![waiting])).await;
    let mut connection = store.read().await.unwrap();
    receipts::owe(&mut connection, read(id, ANNA, 6), at(0)).await.unwrap();
    let due = claim(&store, 0).await.remove(0);
    assert_eq!((due.event, due.waits), (Some(("$5".to_owned(), 5)), true));
    receipts::defer(&mut connection, due.read, Some(5), at(3))
        .await
        .unwrap();
    let due = claim(&store, 3).await.remove(0);
    assert_eq!(
        (due.event, due.waits, due.attempts),
        (None, true, 1),
        "nothing new to tell"
    );
    crate::store::messages::set_delivery(&mut connection, own, Delivery::Sent, Some("$6"))
        .await
        .unwrap();
    let due = claim(&store, 63).await.remove(0);
    assert_eq!((due.event, due.waits), (Some(("$6".to_owned(), 6)), false));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_receipt_does_not_wait_for_what_was_taken_back_before_it_was_sent(pool: PgPool) {
    let store = open(&pool).await;
    let id = with_messages(&store).await;
    let pending = |n: i64| NewMessage {
        delivery: Some(Delivery::Pending),
        ..message(id, BERT, n, "never mind")
    };
    let said = vec![pending(6), pending(7)];
    let recalled = Gone::Recalled { by: BERT, at: at(1) };
    let gone = said.iter().zip([Gone::Deleted, recalled]);
    let acts = gone
        .map(|(said, how)| MessageAct::Gone { message: said.id, how })
        .collect();
    write(&store, id, &saying(said)).await;
    let effects = Effects {
        acts,
        ..Effects::default()
    };
    write(&store, id, &effects).await;
    let mut connection = store.read().await.unwrap();
    receipts::owe(&mut connection, read(id, ANNA, 7), at(2)).await.unwrap();
    let due = claim(&store, 2).await.remove(0);
    assert_eq!((due.event, due.waits), (Some(("$5".to_owned(), 5)), false));
}
