//! How a call ends that nobody takes, and how one of several people does.

use serde_json::{Value, json};
use sqlx::PgPool;

use super::{ALICE, BOB, CANDIDATE, CAROL, Stage, sdp};
use crate::domain::call::News;

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_callee_may_decline(pool: PgPool) {
    let stage = Stage::ringing(pool).await;
    let (status, declined) = stage.post(BOB, "reject", json!({ "reason": "busy" })).await;
    assert_eq!(
        (status, &declined["reason"], &declined["success"]),
        (200, &json!("busy"), &json!(true))
    );
    assert!(matches!(stage.told(ALICE).await.last(), Some(News::Rejected { .. })));
    assert_eq!(stage.post(BOB, "reject", json!({})).await.0, 409);
    let history = stage.app.get(BOB, "/calls/history").await.body;
    assert_eq!(
        (&history[0]["direction"], &history[0]["peer"]),
        (&json!("incoming"), &json!(ALICE))
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_caller_who_gives_up_is_missed(pool: PgPool) {
    let stage = Stage::ringing(pool).await;
    assert_eq!(stage.post(ALICE, "end", Value::Null).await.1["reason"], "cancelled");
    assert!(matches!(stage.told(BOB).await.last(), Some(News::Missed { .. })));
    let history = |user| stage.app.get(user, "/calls/history");
    assert_eq!(history(BOB).await.body[0]["missed"], true);
    let own = history(ALICE).await.body;
    assert_eq!(
        (&own[0]["missed"], &own[0]["direction"]),
        (&json!(false), &json!("outgoing"))
    );
    let before = own[0]["created_at"].as_str().unwrap();
    let none = stage
        .app
        .get(ALICE, &format!("/calls/history?before={before}&limit=5"))
        .await;
    assert_eq!(none.body, json!([]));
    for wrong in ["limit=x", "limit=0", "before=yesterday"] {
        assert_eq!(
            stage.app.get(ALICE, &format!("/calls/history?{wrong}")).await.status,
            400,
            "{wrong}"
        );
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_call_that_nobody_answers_is_missed(pool: PgPool) {
    let stage = Stage::ringing(pool).await;
    // They have sockets: it is not for them that it ends.
    let bridge = stage.app.state.bridge.clone();
    let here = [ALICE, BOB].map(|user| bridge.attend(user.parse().unwrap()));
    stage.passes(61, BOB, "missed").await;
    drop(here);
    assert!(matches!(stage.told(BOB).await.last(), Some(News::Missed { .. })));
    assert!(matches!(
        stage.told(ALICE).await.last(),
        Some(News::Ended { by: None, .. })
    ));
    assert_eq!(stage.status(ALICE).await["reason"], "no_answer");
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn several_people_meet(pool: PgPool) {
    let stage = Stage::group(pool).await;
    let (status, joined) = stage.post(BOB, "join", json!({ "sdp": sdp("bob") })).await;
    assert_eq!(status, 200, "{joined}");
    insta::assert_json_snapshot!("joined", joined);
    let (status, third) = stage.post(CAROL, "join", json!({})).await;
    assert_eq!((status, &third["current_participant_count"]), (200, &json!(3)));
    let people = stage
        .app
        .get(ALICE, &format!("/calls/{}/participants", stage.call))
        .await;
    insta::assert_json_snapshot!("participants", people.body);

    // What is for one goes to one, by user or by part.
    let part = third["participant_id"].as_str().unwrap().to_uppercase();
    let candidate = json!({ "candidate": CANDIDATE, "to": part });
    assert_eq!(stage.post(ALICE, "ice-candidate", candidate).await.0, 200);
    let offer = json!({ "description": { "type": "offer", "sdp": sdp("x") }, "to": BOB });
    assert_eq!(stage.post(ALICE, "negotiate", offer).await.0, 200);
    let addressed = |news: Vec<News>| {
        let mine = news
            .into_iter()
            .filter(|it| matches!(it, News::Candidates { .. } | News::Negotiate { .. }));
        mine.collect::<Vec<_>>()
    };
    assert!(matches!(
        addressed(stage.told(CAROL).await).as_slice(),
        [News::Candidates { .. }]
    ));
    assert!(matches!(
        addressed(stage.told(BOB).await).as_slice(),
        [News::Negotiate { .. }]
    ));
    let unnamed = stage
        .post(ALICE, "ice-candidate", json!({ "candidate": CANDIDATE }))
        .await;
    assert_eq!((unnamed.0, &unnamed.1["code"]), (400, &json!("INVALID_REQUEST")));
    let stranger = json!({ "candidate": CANDIDATE, "to": stage.conversation });
    assert_eq!(stage.post(ALICE, "ice-candidate", stranger).await.0, 400);

    assert_eq!(stage.post(BOB, "join", json!({})).await.0, 409);
    assert_eq!(stage.post(BOB, "leave", json!({})).await.0, 200);
    assert!(matches!(
        stage.told(CAROL).await.last(),
        Some(News::ParticipantLeft { .. })
    ));
    for user in [ALICE, CAROL] {
        assert_eq!(stage.post(user, "end", json!({})).await.0, 200);
    }
    assert_eq!(stage.status(ALICE).await["status"], "ended");
}
