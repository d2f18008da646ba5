//! The homeserver asks whether a user or a room of the bridge's namespace exists.

use reqwest::Method;
use uuid::Uuid;

use crate::support::answer::Answer;
use crate::support::bridge::Bridge;
use crate::support::call::segment;
use crate::support::case::case;
use crate::support::settings::Need;

const V1: &str = "/_matrix/app/v1";

async fn user(bridge: &Bridge, base: &str, id: &str) -> Answer {
    bridge
        .call(Method::GET, &format!("{base}/users/{}", segment(id)))
        .send()
        .await
}

async fn room(bridge: &Bridge, base: &str, alias: &str) -> Answer {
    bridge
        .call(Method::GET, &format!("{base}/rooms/{}", segment(alias)))
        .send()
        .await
}

#[test]
fn a_user_that_exists_is_found() {
    case(&[Need::Ghost], async |bridge| {
        for _ in 0..2 {
            user(bridge, V1, bridge.ghost()).await.is_accepted();
        }
    });
}

#[test]
fn a_user_that_exists_is_found_by_the_legacy_path() {
    case(&[Need::Ghost], async |bridge| {
        user(bridge, "", bridge.ghost()).await.is_accepted();
    });
}

#[test]
fn the_same_user_asked_for_many_times_at_once_is_found() {
    case(&[Need::Ghost], async |bridge| {
        let queries = (0..10).map(|_| user(bridge, V1, bridge.ghost()));
        for answer in futures_util::future::join_all(queries).await {
            answer.is_accepted();
        }
    });
}

#[test]
fn a_user_that_does_not_exist_is_not_found() {
    case(&[], async |bridge| {
        let id = format!("@conformance-{}:{}", Uuid::new_v4(), bridge.settings.server());
        let id = bridge.settings.unknown_ghost.as_deref().unwrap_or(&id);
        user(bridge, V1, id).await.is_error(404, "M_NOT_FOUND");
    });
}

#[test]
fn a_user_that_does_not_exist_is_not_found_by_the_legacy_path() {
    case(&[], async |bridge| {
        let id = format!("@conformance-{}:{}", Uuid::new_v4(), bridge.settings.server());
        user(bridge, "", &id).await.is_error(404, "M_NOT_FOUND");
    });
}

#[test]
fn a_user_outside_of_the_namespace_is_not_found() {
    case(&[], async |bridge| {
        let stranger = format!("@conformance-{}:{}", Uuid::new_v4(), bridge.settings.server());
        user(bridge, V1, &stranger).await.is_error(404, "M_NOT_FOUND");
    });
}

#[test]
fn a_ghosts_name_on_another_server_is_not_found() {
    case(&[Need::Ghost], async |bridge| {
        let localpart = bridge.ghost().split(':').next().unwrap_or_default();
        for server in ["unknown.example", "", "evil.example:8448"] {
            user(bridge, V1, &format!("{localpart}:{server}"))
                .await
                .is_refused(&[400, 404]);
        }
        user(bridge, V1, &format!("{localpart}:unknown.example"))
            .await
            .is_error(404, "M_NOT_FOUND");
    });
}

#[test]
fn a_malformed_user_id_is_refused() {
    case(&[], async |bridge| {
        let server = bridge.settings.server().to_owned();
        let long = format!("@{}:{server}", "x".repeat(1000));
        let nul = format!("@nul\0:{server}");
        for id in [
            "nobody",
            "@",
            "@nobody",
            ":",
            "@:",
            "#alias:example.org",
            "%",
            "a/b",
            " ",
            &nul,
            &long,
        ] {
            user(bridge, V1, id).await.is_refused(&[400, 404]);
        }
        // Bytes that are no text.
        bridge
            .call(Method::GET, "/_matrix/app/v1/users/@%FF:a")
            .send()
            .await
            .is_refused(&[400, 404]);
    });
}

#[test]
fn an_alias_that_does_not_exist_is_not_found() {
    case(&[], async |bridge| {
        let alias = bridge
            .settings
            .unknown_alias
            .as_deref()
            .unwrap_or("#nowhere:unknown.example");
        room(bridge, V1, alias).await.is_error(404, "M_NOT_FOUND");
        room(bridge, V1, "#nowhere:unknown.example")
            .await
            .is_error(404, "M_NOT_FOUND");
    });
}

#[test]
fn an_alias_that_does_not_exist_is_not_found_by_the_legacy_path() {
    case(&[], async |bridge| {
        let alias = bridge
            .settings
            .unknown_alias
            .as_deref()
            .unwrap_or("#nowhere:unknown.example");
        room(bridge, "", alias).await.is_error(404, "M_NOT_FOUND");
    });
}

#[test]
fn a_malformed_alias_is_refused() {
    case(&[], async |bridge| {
        for alias in [
            "nowhere",
            "#",
            "#nowhere",
            "@user:example.org",
            "%",
            "a/b",
            "#nul\0:example.org",
        ] {
            room(bridge, V1, alias).await.is_refused(&[400, 404]);
        }
        bridge
            .call(Method::GET, "/_matrix/app/v1/rooms/%23%FF:a")
            .send()
            .await
            .is_refused(&[400, 404]);
    });
}
