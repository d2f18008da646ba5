//! The page, and pictures.

use std::future::IntoFuture;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Uri};
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{ALICE, App};

async fn fetch(app: &App, method: &str, path: &str, tag: Option<&str>) -> super::Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(tag) = tag {
        request = request.header("if-none-match", tag);
    }
    app.send(request.body(Body::empty()).unwrap()).await
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn the_page_comes_with_its_types_and_is_not_sent_twice(pool: PgPool) {
    let app = App::new(pool).await;
    for (path, content_type) in [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/js/protocol.js", "text/javascript; charset=utf-8"),
        ("/css/base.css", "text/css; charset=utf-8"),
        ("/icon.svg", "image/svg+xml"),
    ] {
        let answer = fetch(&app, "GET", path, None).await;
        assert_eq!(
            (answer.status.as_u16(), answer.headers["content-type"].as_bytes()),
            (200, content_type.as_bytes()),
            "{path}"
        );
        assert_eq!(answer.headers["cache-control"], "no-cache");
        assert!(
            answer.headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("script-src 'self'")
        );
        let tag = answer.headers["etag"].to_str().unwrap();
        let weak = format!("\"other\", W/{tag}");
        for tags in [tag, &*weak, "*"] {
            let again = fetch(&app, "GET", path, Some(tags)).await;
            assert_eq!(
                (again.status.as_u16(), again.body.as_str()),
                (304, Some("")),
                "{path} {tags}"
            );
        }
        assert_eq!(fetch(&app, "GET", path, Some("\"other\"")).await.status, 200);
    }
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn nothing_but_the_page_is_there(pool: PgPool) {
    let app = App::new(pool).await;
    for path in [
        "/package.json",
        "/test/protocol.test.mjs",
        "/js",
        "/js/",
        "/../Cargo.toml",
        "/nothing",
        "/test/../icon.svg",
    ] {
        assert_eq!(fetch(&app, "GET", path, None).await.status, 404, "{path}");
    }
    assert_eq!(fetch(&app, "POST", "/", None).await.status, 405);
    assert_eq!(fetch(&app, "HEAD", "/", None).await.status, 200);
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_picture_that_cannot_be_had_is_404(pool: PgPool) {
    let app = App::new(pool).await;
    // No picture; a picture that is not Matrix's; one that is, while the homeserver is down.
    for avatar in [
        None,
        Some("https://example.org/a.png"),
        Some("mxc://example.org/a"),
        Some("mxc://"),
    ] {
        sqlx::query("UPDATE users SET avatar_url = $1")
            .bind(avatar)
            .execute(&app.pool)
            .await
            .unwrap();
        let answer = fetch(&app, "GET", &format!("/avatars/{ALICE}?v=x"), None).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["status"]),
            (404, &404.into()),
            "{avatar:?}"
        );
    }
    assert_eq!(fetch(&app, "GET", "/avatars/x", None).await.status, 400);
    assert_eq!(
        fetch(&app, "GET", &format!("/avatars/{ALICE}?size=x"), None)
            .await
            .status,
        400
    );
}

#[sqlx::test(migrator = "crate::store::MIGRATOR")]
async fn a_picture_is_fetched_once_and_may_be_kept_under_its_version(pool: PgPool) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let thumbnail = async move |uri: Uri| {
        seen.lock().unwrap().push(uri.to_string());
        // What the header says is no matter.
        let body: &[u8] = if uri.path().ends_with("/page") {
            b"<html>"
        } else {
            b"\x89PNG\r\n\x1a\n..."
        };
        ([("content-type", "text/html")], body)
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let homeserver = axum::serve(listener, Router::new().fallback(thumbnail));
    let tracker = TaskTracker::new();
    tracker.spawn(homeserver.into_future());
    let app = App::beside(&address, pool, App::no_limit()).await;

    let set = |avatar: &'static str| {
        let query = sqlx::query("UPDATE users SET avatar_url = $1").bind(avatar);
        query.execute(&app.pool)
    };
    set("mxc://example.org/face").await.unwrap();
    let direct = app.direct().await;
    let members = app.get(ALICE, &format!("/conversations/{direct}/members")).await.body;
    let link = members["members"][0]["avatar_url"].as_str().unwrap();
    let path = link.strip_prefix("https://nova.example.org").unwrap();
    assert!(path.starts_with(&format!("/avatars/{ALICE}?v=")), "{link}");
    for (path, cache) in [
        (path.to_owned(), "public, max-age=86400, immutable"),
        (format!("/avatars/{ALICE}?v=old"), "public, max-age=300"),
        (format!("{path}&size=9999"), "public, max-age=86400, immutable"),
    ] {
        let answer = fetch(&app, "GET", &path, None).await;
        let header = |name| answer.headers[name].to_str().unwrap();
        assert_eq!(
            (answer.status.as_u16(), header("content-type")),
            (200, "image/png"),
            "{path}"
        );
        assert_eq!(
            (header("cache-control"), header("x-content-type-options")),
            (cache, "nosniff")
        );
    }
    set("mxc://example.org/page").await.unwrap();
    assert_eq!(fetch(&app, "GET", path, None).await.status, 404);
    let sizes: Vec<_> = asked
        .lock()
        .unwrap()
        .iter()
        .map(|uri: &String| uri.contains("width=512"))
        .collect();
    assert_eq!(sizes, [false, true, false]);
}
