//! What an invite shows of the room: `unsigned.invite_room_state`, which Synapse pushes with the invite of a ghost. Nothing
//! else of a room is pushed until the ghost is in it.

use serde_json::Value;

use super::{Envelope, state};
use crate::domain::event::{Meaning, RoomMembership, Shown};

/// More state than any server shows in an invite.
const MAX_STATE: usize = 64;

/// What an invite shows; nothing where it is none, or shows nothing.
pub(super) fn shown(membership: RoomMembership, envelope: &Envelope) -> Option<Shown> {
    let stripped = envelope.unsigned.get("invite_room_state").and_then(Value::as_array);
    let stripped = stripped.filter(|_| membership == RoomMembership::Invite)?;
    let mut shown = Shown::default();
    for event in stripped.iter().take(MAX_STATE) {
        add(&mut shown, event, envelope.sender.as_str());
    }
    Some(shown).filter(|shown| *shown != Shown::default())
}

fn add(shown: &mut Shown, event: &Value, inviter: &str) {
    let text = |field: &str| event.get(field).and_then(Value::as_str);
    let (Some(event_type), Some(key), Some(content)) = (text("type"), text("state_key"), event.get("content")) else {
        return;
    };
    match state(event_type, key, content, &Value::Null) {
        Meaning::Name(name) => shown.name = name,
        Meaning::Topic(topic) => shown.topic = topic,
        Meaning::Avatar(avatar_url) => shown.avatar_url = avatar_url,
        // The inviter's server answers for its own people, and for nobody else.
        Meaning::Member(member) if member.target == inviter && member.membership == RoomMembership::Join => {
            shown.inviter = Some(member);
        }
        Meaning::Member(_)
        | Meaning::Message { .. }
        | Meaning::Act { .. }
        | Meaning::NotYet { .. }
        | Meaning::Encrypted
        | Meaning::Create { .. }
        | Meaning::PowerLevels { .. }
        | Meaning::Pinned { .. }
        | Meaning::Tombstone { .. }
        | Meaning::Call { .. }
        | Meaning::RtcRing { .. }
        | Meaning::Nothing => {}
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::json;
    use serde_json::value::RawValue;

    use super::*;
    use crate::domain::event::MemberEvent;

    fn invite(membership: &str, stripped: &Value) -> MemberEvent {
        let event = json!({
            "type": "m.room.member", "event_id": "$e", "room_id": "!r:example.org", "sender": "@alice:example.org",
            "state_key": "@nova:example.org", "content": { "membership": membership },
            "unsigned": { "invite_room_state": stripped },
        });
        let raw = RawValue::from_string(event.to_string()).unwrap();
        let meaning = super::super::read(raw, DateTime::UNIX_EPOCH).decoded.unwrap().meaning;
        let Meaning::Member(member) = meaning else {
            unreachable!("it is a membership")
        };
        member
    }

    fn piece(event_type: &str, key: &str, content: &Value) -> Value {
        json!({ "type": event_type, "state_key": key, "sender": "@x:example.org", "content": content })
    }

    #[test]
    fn an_invite_shows_the_room_and_who_invites() {
        let joined = |name: &str| json!({ "membership": "join", "displayname": name, "avatar_url": "mxc://e/a" });
        let stripped = json!([
            piece("m.room.name", "", &json!({ "name": "Tea" })),
            piece("m.room.topic", "", &json!({ "topic": "and biscuits" })),
            piece("m.room.avatar", "", &json!({ "url": "mxc://e/room" })),
            piece("m.room.member", "@alice:example.org", &joined("Alice")),
            piece("m.room.member", "@bob:example.org", &joined("Not Bob")),
            piece("m.room.power_levels", "", &json!({ "users": {} })),
        ]);
        let shown = *invite("invite", &stripped).shown.unwrap();
        assert_eq!(shown.name.as_deref(), Some("Tea"));
        assert_eq!(shown.topic.as_deref(), Some("and biscuits"));
        assert_eq!(shown.avatar_url.as_deref(), Some("mxc://e/room"));
        let inviter = shown.inviter.unwrap();
        assert_eq!(inviter.target, "@alice:example.org");
        assert_eq!(inviter.display_name.as_deref(), Some("Alice"));
        assert_eq!(inviter.avatar_url.as_deref(), Some("mxc://e/a"));
        assert_eq!(invite("join", &stripped).shown, None, "only invites show a room");
    }

    #[test]
    fn what_makes_no_sense_is_left_out() {
        for stripped in [
            json!(null),
            json!({}),
            json!([null, 1, {}, { "type": "m.room.name" }, piece("m.room.name", "x", &json!({ "name": "Tea" }))]),
            json!([
                piece("m.room.name", "", &json!({ "name": 5 })),
                piece("m.room.avatar", "", &json!({ "url": "http://e" }))
            ]),
            json!([piece(
                "m.room.member",
                "@alice:example.org",
                &json!({ "membership": "leave" })
            )]),
        ] {
            assert_eq!(invite("invite", &stripped).shown, None, "{stripped}");
        }
    }
}
