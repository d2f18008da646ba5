//! A homeserver that got no answer sends again, and one that lost its memory counts from the start.

use serde_json::json;

use crate::support::bridge::new_txn;
use crate::support::case::case;
use crate::support::settings::Need;

const ROOM: &[Need] = &[Need::Room];

#[test]
fn a_repeated_transaction_is_delivered_once() {
    case(ROOM, async |bridge| {
        let messages = bridge.messages(3);
        let txn = new_txn();
        for _ in 0..3 {
            bridge.push_as(&txn, &json!({"events": messages})).await.is_accepted();
        }
        bridge.delivers(&messages).await;
    });
}

#[test]
fn a_transaction_repeated_after_others_is_delivered_once() {
    case(ROOM, async |bridge| {
        let messages = bridge.messages(12);
        let pushed: Vec<_> = messages
            .iter()
            .map(|message| (new_txn(), json!({"events": [message]})))
            .collect();
        for (txn, body) in pushed.iter().chain(&pushed) {
            bridge.push_as(txn, body).await.is_accepted();
        }
        bridge.delivers(&messages).await;
    });
}

#[test]
fn the_same_events_under_a_new_transaction_id_are_delivered_once() {
    case(ROOM, async |bridge| {
        let messages = bridge.messages(3);
        for _ in 0..3 {
            bridge.push_events(&messages).await.is_accepted();
        }
        bridge.delivers(&messages).await;
    });
}

#[test]
fn other_events_under_a_used_transaction_id_are_delivered_too() {
    case(ROOM, async |bridge| {
        let messages = bridge.messages(4);
        let txn = new_txn();
        for pair in messages.chunks(2) {
            bridge.push_as(&txn, &json!({"events": pair})).await.is_accepted();
        }
        bridge.delivers(&messages).await;
    });
}

#[test]
fn new_events_among_known_ones_are_delivered() {
    case(ROOM, async |bridge| {
        let messages = bridge.messages(5);
        bridge.push_events(&messages[..3]).await.is_accepted();
        bridge.push_events(&messages[1..]).await.is_accepted();
        bridge.delivers(&messages).await;
    });
}

#[test]
fn an_event_twice_in_one_transaction_is_delivered_once() {
    case(ROOM, async |bridge| {
        let messages = bridge.messages(3);
        let [first, second, third] = &messages[..] else {
            panic!("there are three")
        };
        bridge
            .push_events(&[first, second, first, second, second, third, first].map(Clone::clone))
            .await
            .is_accepted();
        bridge.delivers(&messages).await;
    });
}

#[test]
fn two_identical_requests_at_once_are_delivered_once() {
    case(ROOM, async |bridge| {
        let mut all = Vec::new();
        for _ in 0..10 {
            let messages = bridge.messages(5);
            let (txn, body) = (new_txn(), json!({"events": messages}));
            let (first, second) = tokio::join!(bridge.push_as(&txn, &body), bridge.push_as(&txn, &body));
            first.is_accepted();
            second.is_accepted();
            all.extend(messages);
        }
        bridge.delivers(&all).await;
    });
}

#[test]
fn the_same_events_in_two_transactions_at_once_are_delivered_once() {
    case(ROOM, async |bridge| {
        let mut all = Vec::new();
        for _ in 0..10 {
            let messages = bridge.messages(5);
            let (first, second) = tokio::join!(bridge.push_events(&messages), bridge.push_events(&messages));
            first.is_accepted();
            second.is_accepted();
            all.extend(messages);
        }
        bridge.delivers(&all).await;
    });
}

/// Nothing but a proxy between the two would do this. Then the order of arrival counts, and nothing is lost.
#[test]
fn transactions_out_of_order_are_all_delivered() {
    case(ROOM, async |bridge| {
        let messages = bridge.messages(6);
        let bodies: Vec<_> = messages.chunks(2).map(|pair| json!({"events": pair})).collect();
        let txns: Vec<_> = bodies.iter().map(|_| new_txn()).collect();
        for number in [2, 0, 1, 0, 2] {
            bridge.push_as(&txns[number], &bodies[number]).await.is_accepted();
        }
        bridge.delivers_in_any_order(&messages).await;
    });
}

#[test]
fn different_transactions_at_once_are_all_delivered() {
    case(ROOM, async |bridge| {
        let messages = bridge.messages(40);
        let pushes = messages.chunks(5).map(|chunk| bridge.push_events(chunk));
        for answer in futures_util::future::join_all(pushes).await {
            answer.is_accepted();
        }
        bridge.delivers_in_any_order(&messages).await;
    });
}
