//! What an event does to another one, and what it answers
//! ([relations](https://spec.matrix.org/v1.16/client-server-api/#forwards-and-event-relationships)).

use serde_json::Value;

use super::text;
use crate::domain::act::Act;
use crate::domain::event::{Meaning, Reply};
use crate::domain::ids::ActId;
use crate::domain::message::storable;

/// The longest event id.
const MAX_EVENT_ID: usize = 255;

/// An event id, or something that could be one.
fn event_id(value: Option<&Value>) -> Option<String> {
    let id = value?.as_str()?;
    (id.starts_with('$') && id.len() <= MAX_EVENT_ID).then(|| storable(id.to_owned()))
}

fn related(content: &Value, rel_type: &str) -> Option<String> {
    let relation = content.get("m.relates_to")?;
    (relation.get("rel_type")?.as_str()? == rel_type).then(|| event_id(relation.get("event_id")))?
}

/// Whether a message is an edit of another one.
pub(super) fn is_edit(content: &Value) -> bool {
    let rel_type = content.pointer("/m.relates_to/rel_type");
    rel_type.is_some_and(|it| it == "m.replace")
}

/// An edit. The content around the new one is for clients that know of no edits.
pub(super) fn edit(content: &Value, marker: Option<ActId>) -> Result<Meaning, String> {
    let target = related(content, "m.replace").ok_or("m.replace without event_id")?;
    let new = content.get("m.new_content").ok_or("m.replace without m.new_content")?;
    let text = text(new).map_err(|kind| format!("m.replace with {kind}"))?;
    Ok(Meaning::Act {
        target,
        act: Act::Edit { text },
        marker,
    })
}

/// A reaction. One that names nothing or shows nothing is none.
pub(super) fn reaction(content: &Value, marker: Option<ActId>) -> Option<Meaning> {
    let target = related(content, "m.annotation")?;
    let key = content.pointer("/m.relates_to/key")?.as_str()?;
    Some(Meaning::Act {
        target,
        act: Act::React {
            key: storable(key.to_owned()),
        },
        marker,
    })
}

/// A redaction. What it redacts stands in the content from room version 11 on, beside it before.
pub(super) fn redaction(content: &Value, beside: &Value, marker: Option<ActId>) -> Option<Meaning> {
    Some(Meaning::Act {
        target: event_id(content.get("redacts")).or_else(|| event_id(Some(beside)))?,
        act: Act::Redact,
        marker,
    })
}

/// What a message answers. In a thread, a message that answers no other one answers the thread's root: the event that it
/// names besides is there for clients that know of no threads.
pub(super) fn reply(content: &Value) -> Option<Reply> {
    let answered = event_id(content.pointer("/m.relates_to/m.in_reply_to/event_id"));
    let Some(root) = related(content, "m.thread") else {
        return Some(Reply {
            target: answered?,
            thread: None,
        });
    };
    let falls_back = content.pointer("/m.relates_to/is_falling_back");
    let answered = answered.filter(|_| falls_back.is_none_or(|it| it != true));
    Some(Reply {
        target: answered.unwrap_or_else(|| root.clone()),
        thread: Some(root),
    })
}

/// A text without the quotation that old clients begin their replies with. Nothing else that begins with `>` is one.
pub(super) fn without_fallback(body: &str) -> &str {
    if !(body.starts_with("> <@") || body.starts_with("> * <@")) {
        return body;
    }
    let mut rest = body;
    while rest.starts_with("> ") || rest.starts_with(">\n") {
        let Some((_, after)) = rest.split_once('\n') else {
            // Nothing but a quotation: then it is what they say.
            return body;
        };
        rest = after;
    }
    rest.strip_prefix('\n').unwrap_or(rest)
}
