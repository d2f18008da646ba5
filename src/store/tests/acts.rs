//! What is done to messages: written, read back, waiting for its turn.

use serde_json::value::to_raw_value;

use super::*;
use crate::domain::act::{Act, EarlyAct, MessageAct, Reaction, Version};
use crate::domain::event::{InboundEvent, Meaning, RawEvent};
use crate::domain::feed::{Change, FeedEvent};
use crate::domain::ghost::Ghosts;
use crate::domain::ids::ActId;
use crate::domain::ingest::{Context, Target};
use crate::domain::job::Redacted;
use crate::domain::message::{Gone, Message, Style};
use crate::store::messages::{self, Page};
use crate::store::{acts, context};

const ROOM: &str = "!room:example.org";

/// A conversation of Anna and Alice with a room, and a message in it that has an event.
async fn said(store: &Store) -> NewMessage {
    let id = made(store, Kind::Direct, &[ANNA, alice()]).await;
    let said = NewMessage {
        event_id: Some("$m".to_owned()),
        ..message(id, ANNA, 1, "helo")
    };
    let mut effects = saying(vec![said.clone()]);
    effects.portals.push((id, ROOM.try_into().unwrap()));
    write(store, id, &effects).await;
    said
}

async fn acted(store: &Store, on: &NewMessage, acts: &[MessageAct]) {
    let effects = Effects {
        acts: acts.to_vec(),
        ..Effects::default()
    };
    write(store, on.conversation, &effects).await;
}

fn act(n: u128) -> ActId {
    ActId(Uuid::from_u128(n))
}

fn wrote(on: &NewMessage, n: u128, seconds: i64, event: Option<&str>, body: &str, is_shown: bool) -> MessageAct {
    MessageAct::Wrote {
        message: on.id,
        version: Version {
            at: at(seconds),
            event: event.map(str::to_owned),
            id: act(n),
        },
        text: Text {
            style: Style::Emote,
            plain: body.to_owned(),
            formatted: Some(format!("<b>{body}</b>")),
            everybody: false,
            media: None,
        },
        is_shown,
    }
}

fn reaction(on: &NewMessage, n: u128, user: UserId, emoji: &str, event: Option<&str>) -> Reaction {
    Reaction {
        id: act(n),
        message: on.id,
        user,
        emoji: emoji.to_owned(),
        event: event.map(str::to_owned),
        at: at(i64::try_from(n).unwrap()),
    }
}

async fn found(store: &Store, on: &NewMessage) -> Message {
    let mut connection = store.read().await.unwrap();
    messages::find(&mut connection, on.id).await.unwrap().unwrap()
}

async fn count(pool: &PgPool, table: &'static str) -> i64 {
    let count = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")));
    count.fetch_one(pool).await.unwrap()
}

/// What the plan of an event of Alice's is given.
async fn entered(store: &Store, events: &[(&str, Meaning)]) -> Context {
    let events: Vec<RawEvent> = events
        .iter()
        .map(|(id, meaning)| RawEvent {
            raw: to_raw_value("x").unwrap(),
            decoded: Ok(InboundEvent {
                id: (*id).to_owned(),
                room: ROOM.try_into().unwrap(),
                sender: ALICE.try_into().unwrap(),
                at: at(5),
                meaning: meaning.clone(),
            }),
        })
        .collect();
    let mut tx = store.begin().await.unwrap();
    let ghosts = Ghosts::new(ruma::server_name!("example.org"));
    context::enter(&mut tx, ghosts, Vec::new(), &events, context::Rules::default(), at(6))
        .await
        .unwrap()
}

fn redaction(target: &str, marker: Option<ActId>) -> Meaning {
    Meaning::Act {
        target: target.to_owned(),
        act: Act::Redact,
        marker,
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_newest_text_is_shown_and_the_first_one_comes_back_last(pool: PgPool) {
    let store = open(&pool).await;
    let said = said(&store).await;
    acted(&store, &said, &[wrote(&said, 1, -9, Some("$e1"), "first", true)]).await;
    let shown = found(&store, &said).await;
    assert_eq!((shown.text.plain.as_str(), shown.text.style), ("first", Style::Emote));
    assert_eq!(shown.text.formatted.as_deref(), Some("<b>first</b>"));
    assert_eq!(
        (shown.version, shown.edited_at),
        (2, Some(at(-9))),
        "even with a clock that is wrong"
    );
    let third = wrote(&said, 3, 9, Some("$e3"), "third", true);
    let second = wrote(&said, 2, 5, Some("$e2"), "second", false);
    acted(&store, &said, &[third, second]).await;
    let shown = found(&store, &said).await;
    assert_eq!((shown.text.plain.as_str(), shown.version), ("third", 3));
    for (n, was_shown, plain, version) in [(2, false, "third", 3), (3, true, "first", 4), (1, true, "helo", 5)] {
        let edit = act(n);
        let message = said.id;
        let unwrote = MessageAct::Unwrote {
            message,
            edit,
            was_shown,
        };
        acted(&store, &said, &[unwrote]).await;
        let shown = found(&store, &said).await;
        assert_eq!((shown.text.plain.as_str(), shown.version), (plain, version));
    }
    let shown = found(&store, &said).await;
    assert_eq!((shown.edited_at, shown.text), (None, said.text.clone()));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn reactions_are_counted_and_taken_back(pool: PgPool) {
    let store = open(&pool).await;
    let said = said(&store).await;
    let all = [
        reaction(&said, 3, ANNA, "🎉", None),
        reaction(&said, 1, alice(), "👍", Some("$r1")),
        reaction(&said, 2, ANNA, "👍", None),
    ];
    acted(&store, &said, &all.clone().map(MessageAct::Reacted)).await;
    let mut connection = store.read().await.unwrap();
    let mut tallies = async |viewer| {
        let found = acts::tallies(&mut connection, viewer, &[said.id]).await.unwrap();
        found
            .into_iter()
            .map(|it| (it.emoji, it.count, it.is_own))
            .collect::<Vec<_>>()
    };
    let tally = |emoji: &str, count, own| (emoji.to_owned(), count, own);
    assert_eq!(tallies(ANNA).await, [tally("👍", 2, true), tally("🎉", 1, true)]);
    assert_eq!(tallies(alice()).await, [tally("👍", 2, true), tally("🎉", 1, false)]);
    for (most, expected) in [
        (2, vec![("👍", alice()), ("👍", ANNA), ("🎉", ANNA)]),
        (1, vec![("👍", alice()), ("🎉", ANNA)]),
    ] {
        let mut connection = store.read().await.unwrap();
        let found = acts::reactors(&mut connection, said.id, most).await.unwrap();
        let who: Vec<_> = found.iter().map(|it| (it.emoji.as_str(), it.user)).collect();
        assert_eq!(who, expected, "the first {most} of each");
    }
    let carried = MessageAct::Carried(act(2), "$r2".to_owned());
    acted(&store, &said, &[carried, MessageAct::TookBack(act(2))]).await;
    assert_eq!(tallies(ANNA).await, [tally("👍", 1, false), tally("🎉", 1, true)]);
    // The same again is another one, and the old one can still be redacted.
    let again = MessageAct::Reacted(reaction(&said, 4, ANNA, "👍", None));
    acted(&store, &said, &[again]).await;
    assert_eq!(tallies(ANNA).await[0], tally("👍", 2, true));
    let mut connection = store.read().await.unwrap();
    let old = acts::event_of(&mut connection, Redacted::Reaction(act(2)))
        .await
        .unwrap();
    assert_eq!(old.as_deref(), Some("$r2"));
    assert_eq!(acts::outgoing_reaction(&mut connection, act(2)).await.unwrap(), None);
    let new = acts::outgoing_reaction(&mut connection, act(4)).await.unwrap().unwrap();
    assert_eq!((new.target.as_deref(), new.emoji.as_str()), (Some("$m"), "👍"));
    let own = acts::reactions(&mut connection, said.id, ANNA).await.unwrap();
    assert_eq!(own.iter().map(|it| it.id).collect::<Vec<_>>(), [act(3), act(4)]);
    acted(&store, &said, &[MessageAct::Unreacted(act(2))]).await;
    let old = acts::event_of(&mut connection, Redacted::Reaction(act(2)))
        .await
        .unwrap();
    assert_eq!(old, None);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn one_person_reacts_once_in_the_same_way(pool: PgPool) {
    let store = open(&pool).await;
    let said = said(&store).await;
    let twice = [1, 2].map(|n| MessageAct::Reacted(reaction(&said, n, ANNA, "👍", None)));
    let effects = Effects {
        acts: twice.into(),
        ..Effects::default()
    };
    let mut tx = store.begin().await.unwrap();
    let refused = apply(&mut tx, store.clock_base(), &effects, at(0)).await.unwrap_err();
    assert_eq!(refused.conflict(), Some("message_reactions_once"));
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn of_what_is_gone_nothing_is_left(pool: PgPool) {
    let store = open(&pool).await;
    let said = said(&store).await;
    let edit = wrote(&said, 1, 2, None, "hello", true);
    let liked = MessageAct::Reacted(reaction(&said, 2, ANNA, "👍", None));
    acted(&store, &said, &[edit, liked]).await;
    let mut connection = store.read().await.unwrap();
    let page = async |connection: &mut Session, with_recalled| {
        let page = Page::Newest { offset: 0 };
        let found = messages::page(connection, said.conversation, page, with_recalled, 9).await;
        found.unwrap().len()
    };
    let recalled = Gone::Recalled { by: ANNA, at: at(3) };
    let message = said.id;
    acted(&store, &said, &[MessageAct::Gone { message, how: recalled }]).await;
    let shown = found(&store, &said).await;
    assert_eq!((shown.text.plain.as_str(), shown.gone), ("", Some(recalled)));
    assert_eq!((shown.sequence, shown.text.formatted), (1, None));
    assert_eq!(
        (
            count(&pool, "message_versions").await,
            count(&pool, "message_reactions").await
        ),
        (0, 0)
    );
    assert_eq!(
        (page(&mut connection, false).await, page(&mut connection, true).await),
        (0, 1)
    );
    assert_eq!(acts::outgoing_edit(&mut connection, act(1)).await.unwrap(), None);
    let how = Gone::Deleted;
    acted(&store, &said, &[MessageAct::Gone { message, how }]).await;
    assert_eq!(found(&store, &said).await.gone, Some(Gone::Deleted));
    assert_eq!(page(&mut connection, true).await, 0);
    let event = acts::event_of(&mut connection, Redacted::Message(said.id))
        .await
        .unwrap();
    assert_eq!(event.as_deref(), Some("$m"), "it can still be redacted");
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_edit_is_sent_with_its_own_text_while_it_is_shown(pool: PgPool) {
    let store = open(&pool).await;
    let said = said(&store).await;
    let edits = [
        wrote(&said, 1, 1, None, "one", true),
        wrote(&said, 2, 2, None, "two", true),
    ];
    acted(&store, &said, &edits).await;
    let mut connection = store.read().await.unwrap();
    for (n, plain, is_shown) in [(1, "one", false), (2, "two", true)] {
        let edit = acts::outgoing_edit(&mut connection, act(n)).await.unwrap().unwrap();
        assert_eq!((edit.text.plain.as_str(), edit.is_shown), (plain, is_shown));
        assert_eq!(edit.target.as_deref(), Some("$m"));
    }
    assert_eq!(acts::outgoing_edit(&mut connection, act(9)).await.unwrap(), None);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_feed_tells_of_an_edit_what_the_message_says_now(pool: PgPool) {
    let store = open(&pool).await;
    let said = said(&store).await;
    let effects = Effects {
        acts: vec![wrote(&said, 1, 1, None, "hello", true)],
        feed: vec![NewEntry::edited(said.conversation, said.id, ANNA)],
        ..Effects::default()
    };
    write(&store, said.conversation, &effects).await;
    let mut connection = store.read().await.unwrap();
    let entries = whole_feed(&mut connection).await;
    assert_eq!(entries.len(), 2);
    let edited = &entries[1];
    let shown = found(&store, &said).await;
    assert_eq!(
        edited.event,
        FeedEvent::Edited {
            by: ANNA,
            message: shown
        }
    );
    assert!(
        !serde_json::to_string(&Change::Edited { by: ANNA })
            .unwrap()
            .contains("hello")
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_plan_is_given_what_its_events_are_done_to(pool: PgPool) {
    let store = open(&pool).await;
    let said = said(&store).await;
    let done = [
        wrote(&said, 1, 1, Some("$e"), "one", true),
        wrote(&said, 2, 2, None, "two", true),
        MessageAct::Reacted(reaction(&said, 3, alice(), "👍", Some("$r"))),
        MessageAct::Reacted(reaction(&said, 4, ANNA, "👍", Some("$other"))),
        MessageAct::Reacted(reaction(&said, 5, alice(), "🎉", Some("$taken"))),
        MessageAct::TookBack(act(5)),
    ];
    acted(&store, &said, &done).await;
    let message = said.id;
    let context = entered(
        &store,
        &[
            ("$1", redaction("$m", None)),
            ("$2", redaction("$e", Some(act(2)))),
            ("$3", redaction("$taken", Some(act(4)))),
            ("$4", redaction("$nothing", Some(act(77)))),
        ],
    )
    .await;
    let acts = &context.acts;
    let edit = |n| Target::Edit { message, id: act(n) };
    let reaction = |n| Target::Reaction { message, id: act(n) };
    let mut targets: Vec<_> = acts.targets.iter().map(|(event, it)| (event.as_str(), *it)).collect();
    targets.sort_by_key(|(event, _)| event.to_owned());
    assert_eq!(
        targets,
        [
            ("$e", edit(1)),
            ("$m", Target::Message(message)),
            ("$taken", reaction(5))
        ]
    );
    assert_eq!(
        (acts.own[&act(2)], acts.own[&act(4)], acts.own.len()),
        (edit(2), reaction(4), 2)
    );
    let subject = &acts.subjects[&message];
    assert_eq!(
        (subject.conversation, subject.sender, subject.is_gone),
        (said.conversation, ANNA, false)
    );
    let mut versions: Vec<ActId> = subject.versions.iter().map(|it| it.id).collect();
    versions.sort_unstable();
    assert_eq!(versions, [act(1), act(2)], "the first text is no edit");
    let reactions: Vec<ActId> = subject.reactions.iter().map(|it| it.id).collect();
    assert_eq!(reactions, [act(3)], "of thousands only those of who acts");
    let members = &context.conversations[&said.conversation].members;
    assert_eq!(members.keys().collect::<Vec<_>>(), [&alice()]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_waits_is_found_with_what_waits_for_it_and_dropped_when_it_is_old(pool: PgPool) {
    let store = open(&pool).await;
    let said = said(&store).await;
    let early = |event: &str, target: &str| EarlyAct {
        event: event.to_owned(),
        target: target.to_owned(),
        conversation: said.conversation,
        sender: alice(),
        at: at(1),
        act: Act::Redact,
    };
    let all = [
        early("$2", "$1"),
        early("$1", "$late"),
        early("$loop", "$loop"),
        early("$x", "$else"),
    ];
    let waits = all.clone().map(MessageAct::Waits);
    acted(&store, &said, &waits).await;
    acted(&store, &said, &waits).await;
    let text = Meaning::Message {
        text: Text::plain("x"),
        reply: None,
        marker: None,
        notice: false,
    };
    let context = entered(&store, &[("$late", text.clone()), ("$loop", text.clone())]).await;
    let mut waiting: Vec<_> = context.acts.early.values().flatten().cloned().collect();
    waiting.sort_by_key(|early| early.event.clone());
    assert_eq!(waiting, [all[1].clone(), all[0].clone(), all[2].clone()]);
    let context = entered(&store, &[("$unawaited", text)]).await;
    assert!(context.acts.early.is_empty());
    acted(&store, &said, &[MessageAct::Waited("$x".to_owned())]).await;
    assert_eq!(count(&pool, "early_acts").await, 3);
    let mut connection = store.read().await.unwrap();
    assert_eq!(acts::prune(&mut connection, at(1)).await.unwrap(), 0);
    assert_eq!(acts::prune(&mut connection, at(2)).await.unwrap(), 3);
}
