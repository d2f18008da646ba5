//! Messages edited, deleted, recalled, answered and reacted to.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ALICE, Answer, App, BOB, CAROL};

async fn say(app: &App, user: &str, conversation: &str, body: &Value) -> String {
    let path = format!("/conversations/{conversation}/messages");
    let answer = app.post(user, &path, body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.id()
}

async fn hello(app: &App, conversation: &str) -> String {
    say(app, ALICE, conversation, &json!({ "content": "Helo" })).await
}

fn is(answer: &Answer, status: u16, code: &str) {
    assert_eq!(
        (answer.status.as_u16(), &answer.body["code"]),
        (status, &json!(code)),
        "{}",
        answer.body
    );
}

async fn listed(app: &App, user: &str, conversation: &str, query: &str) -> Value {
    let path = format!("/conversations/{conversation}/messages{query}");
    app.get(user, &path).await.body
}

/// Makes a message older.
async fn age(app: &App, id: &str, seconds: i32) {
    sqlx::query("UPDATE messages SET created_at = created_at - make_interval(secs => $2) WHERE id = $1::uuid")
        .bind(uuid::Uuid::parse_str(id).unwrap())
        .bind(f64::from(seconds))
        .execute(&app.pool)
        .await
        .unwrap();
}

/// The payloads of the feed and the jobs of the outbox, for comparison.
async fn left(app: &App) -> (Vec<Value>, Vec<Value>) {
    let rows =
        async |query: &'static str| -> Vec<Value> { sqlx::query_scalar(query).fetch_all(&app.pool).await.unwrap() };
    (
        rows("SELECT payload FROM conversation_feed WHERE payload->>'type' NOT IN ('created', 'member_joined') ORDER BY position, n").await,
        rows("SELECT job FROM outbox WHERE job->>'do' IN ('edit', 'react', 'redact') ORDER BY seq").await,
    )
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_message_is_edited_in_every_old_shape(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let id = hello(&app, &direct).await;
    app.wait(60);
    let first = json!({ "plaintext": "Hello", "version_number": 1, "reason": "typo", "formatted_content": "<i>Hello</i><script>" });
    let answer = app.put(ALICE, &format!("/messages/{id}"), &first).await;
    assert_eq!(answer.status, 200);
    insta::assert_json_snapshot!("edited", answer.body);
    for (method, path, body) in [
        ("PUT", format!("/api/v1/messages/{id}"), json!({ "content": "2" })),
        (
            "PUT",
            format!("/api/v2/chat/messages/{id}"),
            json!({ "content": "3", "version_number": 3 }),
        ),
        (
            "PATCH",
            format!("/conversations/{direct}/messages/{}", id.to_uppercase()),
            json!({ "new_content": "4", "style": "emote" }),
        ),
    ] {
        let answer = app.raw(method, ALICE, &path, body.to_string().into()).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    }
    let list = listed(&app, BOB, &direct, "").await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    insta::assert_json_snapshot!("edited_listed", list[0]);
    let gateway = app
        .get(BOB, &format!("/api/v2/chat/messages?conversation_id={direct}"))
        .await
        .body;
    assert_eq!(
        (
            &gateway["messages"][0]["content"],
            &gateway["messages"][0]["updated_at"]
        ),
        (&json!("4"), &list[0]["updated_at"])
    );
    let (feed, jobs) = left(&app).await;
    assert_eq!(feed, vec![json!({ "type": "edited", "by": ALICE }); 4]);
    assert_eq!(jobs.len(), 4);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_edit_is_refused_that_is_late_old_or_not_theirs(pool: PgPool) {
    let app = App::new(pool).await;
    let (direct, group) = (app.direct().await, app.group().await);
    let id = hello(&app, &direct).await;
    let path = format!("/messages/{id}");
    let edit = json!({ "content": "Hello", "version_number": 1 });
    let before = app.footprint().await;
    is(&app.put(BOB, &path, &edit).await, 403, "AUTHORIZATION_ERROR");
    is(&app.put(CAROL, &path, &edit).await, 403, "AUTHORIZATION_ERROR");
    let old = json!({ "content": "Hello", "version_number": 2 });
    let conflict = app.put(ALICE, &path, &old).await;
    is(&conflict, 409, "VERSION_CONFLICT");
    insta::assert_json_snapshot!("version_conflict", conflict.body);
    for body in [
        json!({}),
        json!({ "content": " " }),
        json!({ "content": "x", "style": "loud" }),
        json!({ "content": 1 }),
    ] {
        is(&app.put(ALICE, &path, &body).await, 400, "INVALID_REQUEST");
    }
    let unknown = "/messages/00000000-0000-4000-8000-00000000dead";
    is(&app.put(ALICE, unknown, &edit).await, 404, "MESSAGE_NOT_FOUND");
    let elsewhere = format!("/conversations/{group}/messages/{id}");
    let patched = app.raw("PATCH", ALICE, &elsewhere, edit.to_string().into()).await;
    is(&patched, 404, "MESSAGE_NOT_FOUND");
    age(&app, &id, 24 * 3600 + 1).await;
    is(&app.put(ALICE, &path, &edit).await, 403, "EDIT_WINDOW_EXPIRED");
    assert_eq!(app.footprint().await, before);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_message_is_deleted_by_its_author_or_an_admin(pool: PgPool) {
    let app = App::new(pool).await;
    let group = app.group().await;
    let (mine, theirs) = (
        hello(&app, &group).await,
        say(&app, BOB, &group, &json!({ "content": "Hi" })).await,
    );
    is(
        &app.delete(BOB, &format!("/messages/{mine}")).await,
        403,
        "AUTHORIZATION_ERROR",
    );
    is(
        &app.delete(CAROL, &format!("/messages/{mine}")).await,
        403,
        "AUTHORIZATION_ERROR",
    );
    for path in [
        format!("/messages/{mine}"),
        format!("/api/v1/messages/{theirs}"),
        format!("/api/v2/chat/messages/{mine}"),
    ] {
        let answer = app.delete(ALICE, &path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body),
            (200, json!({ "success": true })),
            "{path}"
        );
    }
    for query in ["", "?include_recalled=true"] {
        assert_eq!(listed(&app, BOB, &group, query).await, json!([]));
    }
    let path = format!("/messages/{mine}");
    is(&app.get(ALICE, &path).await, 404, "MESSAGE_NOT_FOUND");
    is(
        &app.put(ALICE, &path, &json!({ "content": "x" })).await,
        404,
        "MESSAGE_NOT_FOUND",
    );
    is(
        &app.post(ALICE, &format!("{path}/reactions"), &json!({ "emoji": "👍" }))
            .await,
        404,
        "MESSAGE_NOT_FOUND",
    );
    is(
        &app.post(ALICE, &format!("{path}/recall"), &json!({})).await,
        404,
        "MESSAGE_NOT_FOUND",
    );
    let (feed, jobs) = left(&app).await;
    let gone = |message: &str| json!({ "type": "message_deleted", "by": ALICE, "message": message });
    assert_eq!(feed, [gone(&mine), gone(&theirs)], "told once each");
    let redact = |message: &str| json!({ "do": "redact", "of": { "message": message } });
    assert_eq!(jobs, [redact(&mine), redact(&theirs)]);
    let texts: i64 = sqlx::query_scalar("SELECT count(*) FROM messages WHERE content <> ''")
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(texts, 0);
    let list = app.get(BOB, "/conversations").await.body;
    assert_eq!(list["conversations"][0]["last_message"], Value::Null);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_message_is_recalled_within_two_hours_and_once(pool: PgPool) {
    let app = App::new(pool).await;
    let group = app.group().await;
    let (first, second) = (hello(&app, &group).await, hello(&app, &group).await);
    let recall = |id: &str| format!("/conversations/{group}/messages/{id}/recall");
    is(
        &app.post(BOB, &recall(&first), &json!({})).await,
        403,
        "AUTHORIZATION_ERROR",
    );
    age(&app, &first, 2 * 3600).await;
    let answer = app.raw("POST", ALICE, &recall(&first), axum::body::Body::empty()).await;
    assert_eq!(answer.status, 200);
    insta::assert_json_snapshot!("recalled", answer.body, { ".message_id" => "[id]" });
    let again = app.post(ALICE, &recall(&first), &json!({})).await;
    is(&again, 410, "MESSAGE_ALREADY_RECALLED");
    insta::assert_json_snapshot!("recalled_before", again.body);
    is(
        &app.put(ALICE, &format!("/messages/{first}"), &json!({ "content": "x" }))
            .await,
        410,
        "MESSAGE_ALREADY_RECALLED",
    );
    is(
        &app.post(BOB, &format!("/messages/{first}/reactions"), &json!({ "emoji": "👍" }))
            .await,
        410,
        "MESSAGE_ALREADY_RECALLED",
    );
    age(&app, &second, 2 * 3600 + 1).await;
    is(
        &app.post(ALICE, &format!("/api/v2/chat/messages/{second}/recall"), &json!({}))
            .await,
        403,
        "RECALL_WINDOW_EXPIRED",
    );
    let ids = async |query: &str| -> Vec<String> {
        let list = listed(&app, BOB, &group, query).await;
        list.as_array()
            .unwrap()
            .iter()
            .map(|it| it["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids("").await, std::slice::from_ref(&second));
    assert_eq!(ids("?include_recalled=false").await, std::slice::from_ref(&second));
    assert_eq!(ids("?include_recalled=true").await, [first.clone(), second]);
    insta::assert_json_snapshot!(
        "recalled_listed",
        listed(&app, BOB, &group, "?include_recalled=true").await[0]
    );
    // It can still be deleted, which sends no second redaction.
    assert_eq!(app.delete(ALICE, &format!("/messages/{first}")).await.status, 200);
    let (feed, jobs) = left(&app).await;
    assert_eq!(
        feed.iter().map(|it| &it["type"]).collect::<Vec<_>>(),
        ["recalled", "message_deleted"]
    );
    assert_eq!(jobs.len(), 1);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn reactions_are_made_once_listed_and_taken_back(pool: PgPool) {
    let app = App::new(pool).await;
    let direct = app.direct().await;
    let id = hello(&app, &direct).await;
    let path = format!("/messages/{id}/reactions");
    let thumb = json!({ "emoji": "👍" });
    let first = app.post(BOB, &path, &thumb).await;
    assert_eq!(first.status, 201);
    insta::assert_json_snapshot!("reaction", first.body);
    let again = app.post(BOB, &path, &thumb).await;
    assert_eq!((again.status.as_u16(), again.id()), (201, first.id()));
    app.post(ALICE, &format!("/api/v1{path}"), &thumb).await;
    app.post(BOB, &format!("/api/v2/chat{path}"), &json!({ "emoji": "🎉" }))
        .await;
    insta::assert_json_snapshot!("reactions", app.get(BOB, &path).await.body);
    assert_eq!(
        listed(&app, ALICE, &direct, "").await[0]["reactions"][1],
        json!({ "emoji": "🎉", "count": 1, "user_reacted": false })
    );
    for emoji in ["", " ", "a\u{7}", &"x".repeat(21), "👨‍👩‍👧‍👦"] {
        is(
            &app.post(BOB, &path, &json!({ "emoji": emoji })).await,
            400,
            "INVALID_REQUEST",
        );
    }
    is(&app.post(BOB, &path, &json!({})).await, 400, "INVALID_REQUEST");
    is(&app.post(CAROL, &path, &thumb).await, 403, "AUTHORIZATION_ERROR");
    is(&app.get(CAROL, &path).await, 403, "AUTHORIZATION_ERROR");
    // Nobody takes back what is not theirs.
    for other in [ALICE.to_owned(), first.id()] {
        let by = if other == ALICE { BOB } else { ALICE };
        is(
            &app.delete(by, &format!("{path}/{other}")).await,
            403,
            "AUTHORIZATION_ERROR",
        );
    }
    for taken in [first.id(), first.id(), format!("{BOB}?emoji=%F0%9F%91%8D")] {
        let answer = app.delete(BOB, &format!("{path}/{taken}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body),
            (200, json!({ "success": true })),
            "{taken}"
        );
    }
    app.post(BOB, &path, &thumb).await;
    assert_eq!(
        app.delete(BOB, &format!("{path}/{}", BOB.to_uppercase())).await.status,
        200
    );
    assert_eq!(
        app.get(BOB, &path).await.body["reactions"],
        json!([{ "emoji": "👍", "count": 1, "user_reacted": false,
            "users": [{ "user_id": ALICE, "name": "alice" }] }])
    );
    let (feed, jobs) = left(&app).await;
    let kinds: Vec<&str> = feed.iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["reacted", "reacted", "reacted", "unreacted", "reacted", "unreacted_all"]
    );
    let done: Vec<&str> = jobs.iter().map(|it| it["do"].as_str().unwrap()).collect();
    assert_eq!(done, ["react", "react", "react", "redact", "react", "redact", "redact"]);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn an_answer_names_what_it_answers(pool: PgPool) {
    let app = App::new(pool).await;
    let (direct, group) = (app.direct().await, app.group().await);
    let question = hello(&app, &direct).await;
    let body = json!({ "content": "Hi!", "reply_to_message_id": question.to_uppercase() });
    let answer = app.post(BOB, &format!("/conversations/{direct}/messages"), &body).await;
    assert_eq!(answer.body["reply_to_message_id"], json!(question));
    assert_eq!(
        listed(&app, ALICE, &direct, "").await[1]["reply_to_message_id"],
        json!(question)
    );
    let gateway = json!({ "conversation_id": direct, "content": "Ha", "message_type": 0, "media_url": "", "reply_to_message_id": question });
    let sent = app.post(BOB, "/api/v2/chat/messages", &gateway).await;
    assert_eq!(sent.body["message"]["reply_to_message_id"], json!(question));
    let gone = hello(&app, &direct).await;
    app.delete(ALICE, &format!("/messages/{gone}")).await;
    let elsewhere = hello(&app, &group).await;
    for target in [&gone, &elsewhere, "x", BOB] {
        let body = json!({ "content": "Hi!", "reply_to_message_id": target });
        let answer = app.post(BOB, &format!("/conversations/{direct}/messages"), &body).await;
        is(&answer, 400, "INVALID_REQUEST");
    }
    let job: Value = sqlx::query_scalar("SELECT job->'answers' FROM outbox WHERE message_id = $1::uuid")
        .bind(uuid::Uuid::parse_str(&answer.id()).unwrap())
        .fetch_one(&app.pool)
        .await
        .unwrap();
    assert_eq!(job, json!(question));
}
