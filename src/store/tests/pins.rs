//! What is pinned, what waits to be, and what rooms ask for.

use super::*;
use crate::domain::act::MessageAct;
use crate::domain::ids::OutboxId;
use crate::domain::message::Gone;
use crate::domain::pin::{Needs, Pin, PinAct};
use crate::store::{acts, pins};

const JOB: OutboxId = OutboxId(Uuid::from_u128(0x10));

fn doing(acts: impl IntoIterator<Item = PinAct>) -> Effects {
    Effects {
        acts: acts.into_iter().map(MessageAct::Pin).collect(),
        ..Effects::default()
    }
}

fn pinned(conversation: ConversationId, message: MessageId, told_by: Option<OutboxId>) -> PinAct {
    let pin = Pin {
        message,
        by: ANNA,
        at: at(2),
    };
    PinAct::Pinned {
        conversation,
        pin,
        told_by,
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn pins_come_back_in_their_order_and_stand_until_the_room_knows(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let said = [1, 2, 3].map(|n| message(id, ANNA, n, "x"));
    let [one, two, three] = [0, 1, 2].map(|n: usize| said[n].id);
    write(&store, id, &saying(said.to_vec())).await;
    let mut connection = store.read().await.unwrap();
    let shown = async |connection: &mut Session| -> Vec<MessageId> {
        let list = pins::list(connection, id).await.unwrap();
        list.into_iter().map(|pin| pin.message).collect()
    };
    write(
        &store,
        id,
        &doing([one, two, three].map(|it| pinned(id, it, Some(JOB)))),
    )
    .await;
    assert_eq!(shown(&mut connection).await, [three, two, one]);
    let down = |message, told_by| doing([PinAct::Unpinned { message, told_by }]);
    write(&store, id, &down(two, Some(JOB))).await;
    write(&store, id, &down(one, None)).await;
    assert_eq!(shown(&mut connection).await, [three]);
    let standing = pins::standing(&mut connection, &[id.0], &[]).await.unwrap();
    let mut standing: Vec<(MessageId, bool)> = standing[&id].iter().map(|it| (it.message, it.is_pinned)).collect();
    standing.sort();
    assert_eq!(standing, [(two, false), (three, true)]);
    // Again, and so it is the last one.
    write(&store, id, &doing([pinned(id, one, None), pinned(id, three, None)])).await;
    assert_eq!(shown(&mut connection).await, [three, one]);
    write(&store, id, &doing([PinAct::Told(JOB)])).await;
    let standing = pins::standing(&mut connection, &[], &[one.0, two.0]).await.unwrap();
    assert_eq!(
        standing[&id].len(),
        1,
        "what was taken down is gone, once the room knows"
    );
    // Whatever is gone is pinned no more.
    let gone = Effects {
        acts: vec![MessageAct::Gone {
            message: three,
            how: Gone::Deleted,
        }],
        ..Effects::default()
    };
    write(&store, id, &gone).await;
    assert_eq!(shown(&mut connection).await, [one]);
    let outgoing = pins::outgoing(&mut connection, three).await.unwrap().unwrap();
    assert!(outgoing.is_gone && !outgoing.is_pinned);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_waits_is_the_whole_of_the_last_list_and_ages(pool: PgPool) {
    let store = open(&pool).await;
    let id = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let other = made(&store, Kind::Direct, &[BERT, alice()]).await;
    let waits = |conversation, events: &[&str], seconds| {
        doing([PinAct::Await {
            conversation,
            by: alice(),
            at: at(seconds),
            events: events.iter().map(|it| (*it).to_owned()).collect(),
        }])
    };
    write(&store, id, &waits(id, &["$a", "$b"], 1)).await;
    write(&store, other, &waits(other, &["$a"], 2)).await;
    write(&store, id, &waits(id, &["$b", "$c"], 3)).await;
    let mut connection = store.read().await.unwrap();
    let asked = ["$a", "$b", "$c"].map(str::to_owned);
    let early = pins::early(&mut connection, &asked).await.unwrap();
    let mut early: Vec<_> = early
        .into_iter()
        .map(|((place, event), (_, at))| (place == id, event, at))
        .collect();
    early.sort();
    let expected = [(false, "$a", at(2)), (true, "$b", at(1)), (true, "$c", at(3))];
    assert_eq!(early, expected.map(|(place, event, at)| (place, event.to_owned(), at)));
    let came = PinAct::Came {
        conversation: id,
        event: "$b".to_owned(),
    };
    write(&store, id, &doing([came])).await;
    assert_eq!(pins::early(&mut connection, &asked).await.unwrap().len(), 2);
    assert_eq!(acts::prune(&mut connection, at(1000)).await.unwrap(), 2);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn rooms_ask_as_usual_until_they_say_otherwise(pool: PgPool) {
    let store = open(&pool).await;
    let direct = made(&store, Kind::Direct, &[ANNA, alice()]).await;
    let group = made(&store, Kind::Group, &[ANNA, BERT]).await;
    let mut connection = store.read().await.unwrap();
    let found = pins::needs(&mut connection, &[direct, group]).await.unwrap();
    assert_eq!(
        (found[&direct], found[&group]),
        (Needs::of(Kind::Direct), Needs::of(Kind::Group))
    );
    let needs = Needs { pin: 25, everybody: 0 };
    let asking = Effects {
        needs: vec![(group, needs)],
        ..Effects::default()
    };
    write(&store, group, &asking).await;
    assert_eq!(pins::needs(&mut connection, &[group]).await.unwrap()[&group], needs);
}
