//! What is done to events, and what is answered.

use super::*;
use crate::domain::act::Act;

fn done(event_type: &str, content: Value) -> Option<(String, Act, Option<ActId>)> {
    match meaning(event_type, None, content) {
        Meaning::Act { target, act, marker } => Some((target, act, marker)),
        Meaning::Nothing => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn edits_reactions_and_redactions_are_read() {
    let id = Uuid::from_u128(5);
    let edit = json!({
        "msgtype": "m.text", "body": "* right", MARKER: id,
        "m.new_content": { "msgtype": "m.emote", "body": "right\u{0}" },
        "m.relates_to": { "rel_type": "m.replace", "event_id": "$m" },
    });
    let text = Text {
        style: Style::Emote,
        plain: "right\u{fffd}".to_owned(),
        formatted: None,
        everybody: false,
        media: None,
    };
    let read = ("$m".to_owned(), Act::Edit { text }, Some(ActId(id)));
    assert_eq!(done("m.room.message", edit), Some(read));
    let reaction = json!({ "m.relates_to": { "rel_type": "m.annotation", "event_id": "$m", "key": "👍" } });
    let key = "👍".to_owned();
    let read = ("$m".to_owned(), Act::React { key }, None);
    assert_eq!(done("m.reaction", reaction), Some(read));
    let read = |target: &str| Some((target.to_owned(), Act::Redact, None));
    assert_eq!(done("m.room.redaction", json!({ "redacts": "$m" })), read("$m"));
    let old = json!({
        "type": "m.room.redaction", "event_id": "$e", "room_id": "!r:example.org", "sender": "@alice:example.org",
        "redacts": "$old:example.org", "content": { "reason": "spam" },
    });
    let meaning = read_json(&old).unwrap().meaning;
    assert!(
        matches!(meaning, Meaning::Act { target, .. } if target == "$old:example.org"),
        "before room version 11"
    );
}

#[test]
fn what_names_no_event_or_shows_nothing_is_no_act() {
    let relation = |relation: Value| json!({ "m.relates_to": relation });
    for content in [
        json!({}),
        json!({ "m.relates_to": 7 }),
        relation(json!({ "rel_type": "m.annotation", "event_id": "$m" })),
        relation(json!({ "rel_type": "m.annotation", "event_id": "$m", "key": 7 })),
        relation(json!({ "rel_type": "m.annotation", "event_id": "m", "key": "👍" })),
        relation(json!({ "rel_type": "m.annotation", "event_id": format!("${}", "x".repeat(255)), "key": "👍" })),
        relation(json!({ "rel_type": "m.reference", "event_id": "$m", "key": "👍" })),
    ] {
        assert_eq!(done("m.reaction", content.clone()), None, "{content}");
        assert_eq!(done("m.room.redaction", content), None);
    }
}

fn answered(relation: Value) -> Option<(String, Option<String>)> {
    let content = json!({ "msgtype": "m.text", "body": "x", "m.relates_to": relation });
    match meaning("m.room.message", None, content) {
        Meaning::Message { reply, .. } => reply.map(|reply| (reply.target, reply.thread)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_answers_another_one_or_its_thread() {
    let to = |id: &str| json!({ "event_id": id });
    let some = |target: &str, thread: Option<&str>| Some((target.to_owned(), thread.map(str::to_owned)));
    assert_eq!(answered(json!({ "m.in_reply_to": to("$q") })), some("$q", None));
    assert_eq!(answered(json!({ "m.in_reply_to": to("q") })), None);
    let other = json!({ "m.in_reply_to": 7, "rel_type": "m.reference", "event_id": "$x" });
    assert_eq!(answered(other), None);
    let thread = |more: Value| {
        let mut relation = json!({ "rel_type": "m.thread", "event_id": "$root" });
        relation
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        answered(relation)
    };
    assert_eq!(thread(json!({})), some("$root", Some("$root")));
    let last = json!({ "m.in_reply_to": to("$last"), "is_falling_back": true });
    assert_eq!(
        thread(last),
        some("$root", Some("$root")),
        "it only follows the last one"
    );
    let answer = json!({ "m.in_reply_to": to("$one"), "is_falling_back": false });
    assert_eq!(thread(answer), some("$one", Some("$root")));
}

#[test]
fn only_the_quotation_of_a_rich_reply_is_taken_out() {
    for (body, reply, plain) in [
        ("> <@a:x> what?\n> more\n\nyes\n> and", true, "yes\n> and"),
        ("> * <@a:x> waves\n\nhi", true, "hi"),
        ("> <@a:x> what?\nyes", true, "yes"),
        ("> <@a:x> what?", true, "> <@a:x> what?"),
        ("> a quotation\n\nyes", true, "> a quotation\n\nyes"),
        ("> <@a:x> what?\n\nyes", false, "> <@a:x> what?\n\nyes"),
    ] {
        let mut content = json!({
            "msgtype": "m.text", "body": body, "format": "org.matrix.custom.html",
            "formatted_body": "<mx-reply><blockquote>what?</blockquote></mx-reply>yes",
        });
        if reply {
            content["m.relates_to"] = json!({ "m.in_reply_to": { "event_id": "$q" } });
        }
        let text = text_of(content);
        assert_eq!((text.plain.as_str(), text.formatted.as_deref()), (plain, Some("yes")));
    }
}
