//! The lookups by which a client finds a user of the other network by the name that they have there.

use reqwest::Method;
use serde_json::Value;
use uuid::Uuid;

use crate::support::answer::Answer;
use crate::support::bridge::Bridge;
use crate::support::case::case;
use crate::support::settings::Need;

const V1: &str = "/_matrix/app/v1/thirdparty";
const LEGACY: &str = "/_matrix/app/unstable/thirdparty";

async fn lookup(bridge: &Bridge, base: &str, path: &str, query: &[(&str, &str)]) -> Answer {
    let call = bridge.call(Method::GET, &format!("{base}/{path}"));
    query
        .iter()
        .fold(call, |call, (key, value)| call.query(key, value))
        .send()
        .await
}

fn protocol(bridge: &Bridge) -> &str {
    bridge
        .settings
        .protocol
        .as_deref()
        .expect("the case says that it needs a protocol")
}

fn username(bridge: &Bridge) -> &str {
    bridge
        .settings
        .username
        .as_deref()
        .expect("the case says that it needs a user name")
}

/// The field by which users are found.
async fn user_field(bridge: &Bridge) -> String {
    if let Some(field) = &bridge.settings.username_field {
        return field.clone();
    }
    let document = lookup(bridge, V1, &format!("protocol/{}", protocol(bridge)), &[])
        .await
        .found();
    document["user_fields"][0]
        .as_str()
        .expect("a protocol with users has user_fields")
        .to_owned()
}

/// Every entry has what a client reads.
fn are_mappings(entries: &[Value], id: &str) {
    for entry in entries {
        assert!(entry[id].is_string(), "{id} is a text: {entry}");
        assert!(entry["protocol"].is_string(), "protocol is a text: {entry}");
        assert!(entry["fields"].is_object(), "fields is an object: {entry}");
    }
}

#[test]
fn a_protocol_describes_itself() {
    case(&[Need::Protocol], async |bridge| {
        let document = lookup(bridge, V1, &format!("protocol/{}", protocol(bridge)), &[])
            .await
            .found();
        for key in ["user_fields", "location_fields"] {
            let fields = document[key]
                .as_array()
                .unwrap_or_else(|| panic!("{key} is an array: {document}"));
            for field in fields {
                let name = field
                    .as_str()
                    .unwrap_or_else(|| panic!("{key} holds names: {document}"));
                let kind = &document["field_types"][name];
                for part in ["regexp", "placeholder"] {
                    assert!(
                        kind[part].is_string(),
                        "field_types.{name}.{part} is a text: {document}"
                    );
                }
            }
        }
        assert!(
            document["field_types"].is_object(),
            "field_types is an object: {document}"
        );
        assert!(document["icon"].is_string(), "icon is a text: {document}");
        let instances = document["instances"]
            .as_array()
            .unwrap_or_else(|| panic!("instances is an array: {document}"));
        for instance in instances {
            assert!(instance["desc"].is_string(), "an instance has a desc: {instance}");
            assert!(
                instance["network_id"].is_string(),
                "an instance has a network_id: {instance}"
            );
            assert!(instance["fields"].is_object(), "an instance has fields: {instance}");
            assert!(
                instance.get("icon").is_none_or(Value::is_string),
                "an icon is a text: {instance}"
            );
        }
    });
}

#[test]
fn a_user_is_found_by_name() {
    case(&[Need::Protocol, Need::Username], async |bridge| {
        let field = user_field(bridge).await;
        let path = format!("user/{}", protocol(bridge));
        let users = lookup(bridge, V1, &path, &[(&field, username(bridge))]).await.lists();
        are_mappings(&users, "userid");
        let found = users.iter().find(|user| user["userid"] == bridge.ghost());
        let found = found.unwrap_or_else(|| panic!("{} is not among {users:?}", bridge.ghost()));
        assert_eq!(found["protocol"], protocol(bridge));
        assert_eq!(
            found["fields"][&field],
            username(bridge),
            "the fields say how the user was found"
        );
    });
}

#[test]
fn a_user_that_nobody_knows_is_not_found() {
    case(&[Need::Protocol, Need::Username], async |bridge| {
        let field = user_field(bridge).await;
        let path = format!("user/{}", protocol(bridge));
        for name in [&*Uuid::new_v4().to_string(), "", "%", "_", "*", "a\0b", "' OR 1=1 --"] {
            let users = lookup(bridge, V1, &path, &[(&field, name)]).await.lists();
            let ghost = users.iter().find(|user| user["userid"] == bridge.ghost());
            assert!(ghost.is_none(), "{name:?} is not the name of {}", bridge.ghost());
        }
    });
}

#[test]
fn a_ghost_is_traced_back_to_its_user() {
    case(&[Need::Protocol, Need::Username], async |bridge| {
        let field = user_field(bridge).await;
        let users = lookup(bridge, V1, "user", &[("userid", bridge.ghost())]).await.lists();
        are_mappings(&users, "userid");
        let found = users.iter().find(|user| user["userid"] == bridge.ghost());
        let found = found.unwrap_or_else(|| panic!("{} is not among {users:?}", bridge.ghost()));
        assert_eq!(found["protocol"], protocol(bridge));
        assert_eq!(found["fields"][&field], username(bridge), "the fields of the ghost");
    });
}

#[test]
fn an_unknown_matrix_user_is_traced_back_to_nobody() {
    case(&[Need::Protocol], async |bridge| {
        let unknown = format!("@conformance-{}:{}", Uuid::new_v4(), bridge.settings.server());
        for id in [&*unknown, "@a:unknown.example", "nobody", "", "@nul\0:a"] {
            let answer = lookup(bridge, V1, "user", &[("userid", id)]).await;
            if answer.status == 400 {
                answer.is_refused(&[400]);
            } else {
                assert!(answer.lists().is_empty(), "nobody is behind {id:?}");
            }
        }
    });
}

#[test]
fn locations_are_listed_with_their_aliases() {
    case(&[Need::Protocol], async |bridge| {
        let path = format!("location/{}", protocol(bridge));
        are_mappings(&lookup(bridge, V1, &path, &[]).await.lists(), "alias");
        are_mappings(
            &lookup(bridge, V1, &path, &[("org.example.none", "x")]).await.lists(),
            "alias",
        );
    });
}

#[test]
fn an_unknown_alias_is_traced_back_to_no_location() {
    case(&[Need::Protocol], async |bridge| {
        let alias = bridge
            .settings
            .unknown_alias
            .as_deref()
            .unwrap_or("#nowhere:unknown.example");
        for alias in [alias, "#nowhere:unknown.example"] {
            assert!(
                lookup(bridge, V1, "location", &[("alias", alias)])
                    .await
                    .lists()
                    .is_empty(),
                "nothing is there"
            );
        }
    });
}

#[test]
fn an_unknown_protocol_is_not_found() {
    case(&[Need::Protocol], async |bridge| {
        for kind in ["protocol", "user", "location"] {
            let path = format!("{kind}/conformance-unknown");
            lookup(bridge, V1, &path, &[]).await.is_error(404, "M_NOT_FOUND");
        }
    });
}

/// Whatever the client put into its search reaches the bridge as it is.
#[test]
fn strange_parameters_get_a_plain_answer() {
    case(&[Need::Protocol], async |bridge| {
        let protocol = protocol(bridge);
        for path in [
            format!("user/{protocol}?a=1&a=2&a="),
            format!("user/{protocol}?username=1&username=2"),
            format!("user/{protocol}?=&&&%FF=%FE&username=%FF"),
            format!("location/{protocol}?alias=1&alias=2"),
            "user?userid=1&userid=2".to_owned(),
            "user".to_owned(),
            "location?alias=%FF".to_owned(),
            "location".to_owned(),
        ] {
            let answer = lookup(bridge, V1, &path, &[]).await;
            if answer.status == 400 {
                answer.is_refused(&[400]);
            } else {
                assert!(answer.lists().is_empty(), "{path} names nobody and nothing");
            }
        }
    });
}

#[test]
fn lookups_answer_the_same_by_the_legacy_path() {
    case(&[Need::Protocol, Need::Username], async |bridge| {
        let field = user_field(bridge).await;
        let (document, users) = (
            format!("protocol/{}", protocol(bridge)),
            format!("user/{}", protocol(bridge)),
        );
        for (path, query) in [
            (&*document, vec![]),
            (&users, vec![(&*field, username(bridge))]),
            ("user", vec![("userid", bridge.ghost())]),
        ] {
            let new = lookup(bridge, V1, path, &query).await.found();
            assert_eq!(lookup(bridge, LEGACY, path, &query).await.found(), new, "{path}");
        }
        lookup(bridge, LEGACY, "protocol/conformance-unknown", &[])
            .await
            .is_error(404, "M_NOT_FOUND");
    });
}
