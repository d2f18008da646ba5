//! Members of groups.

use serde_json::json;
use sqlx::PgPool;

use super::{ALICE, App, BOB, CAROL};

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn members_are_listed_in_pages_with_all_that_old_clients_read(pool: PgPool) {
    let app = App::new(pool).await;
    let path = format!("/conversations/{}/members", app.group().await);
    app.wait(1);
    let added = app
        .post(ALICE, &path, &json!({ "user_ids": [CAROL, "@alice:example.org"] }))
        .await;
    assert_eq!((added.status.as_u16(), added.body), (201, json!({ "success": true })));
    insta::assert_json_snapshot!(app.get(BOB, &path).await.body);
    let page = app.get(BOB, &format!("/api/v1{path}?limit=1&offset=1")).await.body;
    assert_eq!(
        (&page["total"], page["members"].as_array().unwrap().len()),
        (&json!(4), 1)
    );
    assert_eq!(app.get(BOB, &format!("{path}?limit=-1")).await.status, 400);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn people_are_added_by_any_id_and_removed_again(pool: PgPool) {
    let app = App::new(pool).await;
    let path = format!("/conversations/{}/members", app.group().await);
    let count = async || app.get(ALICE, &path).await.body["total"].clone();
    for who in [
        json!({ "user_id": CAROL.to_uppercase() }),
        json!({ "user_id": "@alice:example.org", "role": "member" }),
    ] {
        assert_eq!(app.post(ALICE, &path, &who).await.status, 201, "{who}");
    }
    assert_eq!(count().await, 4);
    let ghost = format!("{path}/@nova-{CAROL}:example.org");
    assert_eq!(app.delete(ALICE, &ghost).await.body, json!({ "success": true }));
    assert_eq!(
        app.delete(ALICE, &format!("{path}/%40alice%3Aexample.org"))
            .await
            .status,
        200
    );
    assert_eq!(app.delete(ALICE, &format!("{path}/{BOB}")).await.status, 200);
    assert_eq!(count().await, 1);
    assert_eq!(app.delete(ALICE, &format!("{path}/{BOB}")).await.status, 404);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn roles_are_given_at_both_addresses_within_the_rules(pool: PgPool) {
    let app = App::new(pool).await;
    let path = format!("/conversations/{}/members", app.group().await);
    app.post(ALICE, &path, &json!({ "user_id": CAROL, "role": "moderator" }))
        .await;
    assert_eq!(
        app.put(ALICE, &format!("{path}/{BOB}"), &json!({ "role": "admin" }))
            .await
            .status,
        200
    );
    let carol = format!("/api/v1{path}/{CAROL}/role");
    assert_eq!(
        app.put(BOB, &carol, &json!({ "role": "member" })).await.body,
        json!({ "success": true })
    );
    let roles: Vec<_> = app.get(ALICE, &path).await.body["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["role"].clone())
        .collect();
    assert_eq!(roles.len(), 3);
    assert!(
        [json!("owner"), json!("admin"), json!("member")]
            .iter()
            .all(|role| roles.contains(role)),
        "{roles:?}"
    );
    for (user, target, role, status) in [
        (BOB, CAROL, "owner", 403),
        (BOB, ALICE, "member", 403),
        (CAROL, BOB, "member", 403),
        (ALICE, BOB, "king", 400),
        (ALICE, "x", "admin", 400),
        (ALICE, "00000000-0000-4000-8000-00000000dead", "admin", 404),
    ] {
        let answer = app
            .put(user, &format!("{path}/{target}"), &json!({ "role": role }))
            .await;
        assert_eq!(answer.status, status, "{user} {target} {role}: {}", answer.body);
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn what_makes_no_sense_is_refused_and_changes_nothing(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = format!("/conversations/{}/members", app.direct().await);
    let group = format!("/conversations/{}/members", app.group().await);
    let before = app.footprint().await;
    let many: Vec<_> = (0..101).map(|n| format!("@user{n}:example.org")).collect();
    for (user, path, body, status) in [
        (ALICE, &group, json!({}), 400),
        (ALICE, &group, json!({ "user_ids": [] }), 400),
        (ALICE, &group, json!({ "user_ids": many }), 400),
        (ALICE, &group, json!({ "user_id": "carol" }), 400),
        (ALICE, &group, json!({ "user_id": CAROL, "role": "king" }), 400),
        (
            ALICE,
            &group,
            json!({ "user_ids": [CAROL, "00000000-0000-4000-8000-00000000dead"] }),
            404,
        ),
        (BOB, &group, json!({ "user_id": CAROL, "role": "admin" }), 403),
        (ALICE, &direct, json!({ "user_id": CAROL }), 400),
        (CAROL, &direct, json!({ "user_id": CAROL }), 403),
    ] {
        let answer = app.post(user, path, &body).await;
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
    }
    assert_eq!(app.footprint().await, before);
}
