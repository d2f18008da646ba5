//! Tests of every SQL function, on a real Postgres.

mod acts;
mod calls;
mod clock;
mod contacts;
mod conversations;
mod entering;
mod feed;
mod horizon;
mod knocks;
mod letters;
mod messages;
mod order;
mod outages;
mod outbox;
mod people;
mod pins;
mod places;
mod plain;
mod receipts;
mod requests;
mod sealing;
mod server;
mod spaces;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::apply::apply;
use super::{Session, Store, Tx};
use crate::domain::clock::Timestamp;
use crate::domain::conversation::{Conversation, Kind, Member, Membership, Person};
use crate::domain::feed::{Cursor, FeedEntry};
use crate::domain::ghost::matrix_user_id;
use crate::domain::ids::{ConversationId, MessageId, UserId};
use crate::domain::ingest::{Effects, NewEntry, NewMessage};
use crate::domain::message::Text;
use crate::domain::power::Role;

const ALICE: &str = "@alice:example.org";
const BOB: &str = "@bob:example.org";
const ANNA: UserId = UserId(Uuid::from_u128(0xA));
const BERT: UserId = UserId(Uuid::from_u128(0xB));

fn at(seconds: i64) -> Timestamp {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn alice() -> UserId {
    matrix_user_id(ALICE)
}

fn account(id: UserId, username: &str) -> Person {
    Person {
        id,
        mxid: format!("@nova-{id}:example.org").try_into().unwrap(),
        is_nova: true,
        username: Some(username.to_owned()),
        display_name: None,
        avatar_url: None,
    }
}

fn matrix_user(mxid: &str, name: Option<&str>) -> Person {
    Person {
        id: matrix_user_id(mxid),
        mxid: mxid.try_into().unwrap(),
        is_nova: false,
        username: None,
        display_name: name.map(str::to_owned),
        avatar_url: None,
    }
}

const fn place(role: Role, membership: Membership) -> Member {
    Member { role, membership }
}

const JOINED: Member = place(Role::Member, Membership::Joined);

/// The store with Anna's and Bert's accounts, and Alice and Bob on the Matrix side.
async fn open(pool: &PgPool) -> Store {
    let store = Store::open(pool.clone()).await.unwrap();
    let mut connection = store.read().await.unwrap();
    for person in [account(ANNA, "anna"), account(BERT, "bert")] {
        super::people::put_account(&mut connection, &person, false, at(0))
            .await
            .unwrap();
    }
    let matrix = [matrix_user(ALICE, Some("Alice")), matrix_user(BOB, None)];
    super::people::know(&mut connection, &[], &matrix, at(0)).await.unwrap();
    store
}

fn conversation(kind: Kind, members: &[(UserId, Member)]) -> Conversation {
    Conversation {
        id: ConversationId(Uuid::now_v7()),
        kind,
        name: None,
        description: None,
        avatar_url: None,
        created_by: members[0].0,
        has_portal: true,
        room: None,
        last_sequence: 0,
        members: members.iter().copied().collect(),
        created_at: at(0),
    }
}

/// What makes a conversation.
fn making(made: &Conversation) -> Effects {
    let mut effects = Effects {
        conversations: vec![made.clone()],
        ..Effects::default()
    };
    effects.members = made
        .members
        .iter()
        .map(|(user, member)| edit(made.id, *user, Some(*member)))
        .collect();
    if let (Kind::Direct, [one, other]) = (made.kind, &*made.members.keys().copied().collect::<Vec<_>>()) {
        effects.pairs.push((*one, *other, made.id));
    }
    effects
}

fn edit(conversation: ConversationId, user: UserId, member: Option<Member>) -> crate::domain::ingest::MemberEdit {
    crate::domain::ingest::MemberEdit {
        conversation,
        user,
        member,
    }
}

/// A conversation that is there.
async fn made(store: &Store, kind: Kind, members: &[UserId]) -> ConversationId {
    let members: Vec<_> = members.iter().map(|user| (*user, JOINED)).collect();
    let made = conversation(kind, &members);
    write(store, made.id, &making(&made)).await;
    made.id
}

/// Locks, applies, commits.
async fn write(store: &Store, id: ConversationId, effects: &Effects) {
    let mut tx = store.begin().await.unwrap();
    super::conversations::lock(&mut tx, &[id]).await.unwrap();
    apply(&mut tx, store.clock_base(), effects, at(1)).await.unwrap();
    tx.commit().await.unwrap();
}

fn message(conversation: ConversationId, sender: UserId, sequence: i64, body: &str) -> NewMessage {
    NewMessage {
        id: MessageId(Uuid::now_v7()),
        conversation,
        sender,
        sequence,
        text: Text::plain(body),
        reply_to: None,
        thread_root: None,
        event_id: None,
        idempotency_key: None,
        delivery: None,
        created_at: at(sequence),
    }
}

/// The effects of messages that everybody sees.
fn saying(messages: Vec<NewMessage>) -> Effects {
    Effects {
        feed: messages
            .iter()
            .map(|it| NewEntry::message(it.conversation, it.id))
            .collect(),
        messages,
        ..Effects::default()
    }
}

/// Locks a conversation and says something in it, as a use case does. The transaction stays open.
async fn say(tx: &mut Tx, store: &Store, id: ConversationId, sender: UserId, body: &str) -> NewMessage {
    super::conversations::lock(tx, &[id]).await.unwrap();
    let place = super::conversations::place(tx, id, sender).await.unwrap().unwrap();
    let said = message(id, sender, place.last_sequence + 1, body);
    apply(tx, store.clock_base(), &saying(vec![said.clone()]), at(1))
        .await
        .unwrap();
    said
}

async fn pid(connection: &mut PgConnection) -> i32 {
    sqlx::query_scalar("SELECT pg_backend_pid()")
        .fetch_one(connection)
        .await
        .unwrap()
}

/// Asks again until a backend waits for a lock.
async fn until_blocked(pool: &PgPool, pid: i32) {
    let mut connection = pool.acquire().await.unwrap();
    loop {
        let blocked: bool = sqlx::query_scalar("SELECT cardinality(pg_blocking_pids($1)) > 0")
            .bind(pid)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
        if blocked {
            return;
        }
    }
}

/// How many members each role has, for comparison.
fn roles(members: &BTreeMap<UserId, Member>) -> Vec<(UserId, Role, Membership)> {
    members
        .iter()
        .map(|(user, it)| (*user, it.role, it.membership))
        .collect()
}

/// Everything in the feed, once no other test's transaction holds it back.
async fn whole_feed(connection: &mut Session) -> Vec<FeedEntry> {
    feed_after(connection, Cursor::default(), 100).await.entries
}

/// A page of it, likewise.
async fn feed_after(connection: &mut Session, cursor: Cursor, limit: i64) -> super::feed::Page {
    loop {
        let (page, held) = super::feed::after(connection, cursor, limit).await.unwrap();
        if !held {
            return page;
        }
    }
}
