//! Pictures: from the homeserver, and from anywhere else with care.

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use axum::routing::get;
use bytes::Bytes;
use nova_bridge::matrix::{HomeserverError, MEDIA_LIMIT, Retry};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::homeserver_client::{ghost, start};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\nrest";

#[tokio::test]
async fn a_thumbnail_is_what_its_bytes_say() {
    let (_homeserver, client) = start().await;
    let pictures: [(&[u8], &str); 4] = [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0rest", "image/jpeg"),
        (b"GIF89arest", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
    ];
    for (bytes, content_type) in pictures {
        let mxc = client
            .upload(ghost(), "text/html", Bytes::from_static(bytes))
            .await
            .unwrap();
        let media = client.thumbnail(&mxc, 96, 96).await.unwrap();
        assert_eq!((media.content_type, &*media.bytes), (content_type, bytes));
    }
}

#[tokio::test]
async fn a_thumbnail_that_is_too_large_or_no_picture_is_refused() {
    let (_homeserver, client) = start().await;
    let mut large = PNG.to_vec();
    large.resize(MEDIA_LIMIT + 1, 0);
    let mxc = client.upload(ghost(), "image/png", large.into()).await.unwrap();
    let error = client.thumbnail(&mxc, 96, 96).await.unwrap_err();
    assert!(
        matches!(error, HomeserverError::TooLarge { limit: MEDIA_LIMIT }),
        "{error:?}"
    );
    let mxc = client
        .upload(ghost(), "image/png", "<svg onload='x()'/>".into())
        .await
        .unwrap();
    assert!(matches!(
        client.thumbnail(&mxc, 96, 96).await.unwrap_err(),
        HomeserverError::Unsuitable(_)
    ));
    for bad in [
        "",
        "https://example.org/a",
        "mxc://example.org/../../admin",
        "mxc://example.org",
    ] {
        let error = client.thumbnail(bad, 96, 96).await.unwrap_err();
        assert!(matches!(error, HomeserverError::Request(_)), "{bad}: {error:?}");
    }
}

/// Some web server.
async fn elsewhere() -> Url {
    let router = Router::new()
        .route("/face.png", get(async || PNG))
        .route("/large", get(async || [PNG, &[0; 100]].concat()))
        .route(
            "/svg",
            get(async || ([("content-type", "image/png")], "<?xml version='1.0'?><svg/>")),
        )
        .route("/html", get(async || "<html>"))
        .route("/empty", get(async || ""))
        .route("/gone", get(async || StatusCode::GONE))
        .route("/busy", get(async || StatusCode::SERVICE_UNAVAILABLE))
        .route("/file", get(async || Redirect::temporary("file:///etc/passwd")))
        .route("/round", get(async || Redirect::temporary("/round")))
        .route("/1", get(async || Redirect::temporary("/face.png")))
        .route("/2", get(async || Redirect::temporary("/1")))
        .route("/3", get(async || Redirect::permanent("2")))
        .route("/4", get(async || Redirect::temporary("/3")))
        .route(
            "/mine",
            get(async |headers: HeaderMap| {
                if headers.contains_key("authorization") {
                    b"<secret>"
                } else {
                    b"GIF87a.."
                }
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

#[tokio::test]
async fn an_avatar_from_elsewhere_is_fetched_over_few_redirects_and_without_our_token() {
    let (_homeserver, client) = start().await;
    let web = elsewhere().await;
    for path in ["/face.png", "/1", "/3"] {
        let media = client
            .fetch_external(&web.join(path).unwrap(), MEDIA_LIMIT)
            .await
            .unwrap();
        assert_eq!((media.content_type, &*media.bytes), ("image/png", PNG), "{path}");
    }
    assert_eq!(
        client
            .fetch_external(&web.join("/mine").unwrap(), 100)
            .await
            .unwrap()
            .content_type,
        "image/gif"
    );
}

#[tokio::test]
async fn an_avatar_that_is_no_ordinary_picture_is_refused() {
    let (_homeserver, client) = start().await;
    let web = elsewhere().await;
    for path in [
        "/svg",
        "/html",
        "/empty",
        "/file",
        "/round",
        "/4",
        "file:///etc/passwd",
        "data:image/png;base64,AA==",
    ] {
        let error = client
            .fetch_external(&web.join(path).unwrap(), MEDIA_LIMIT)
            .await
            .unwrap_err();
        assert!(matches!(error, HomeserverError::Unsuitable(_)), "{path}: {error:?}");
        assert_eq!((error.retry(), error.outcome_unknown()), (Retry::Never, false));
    }
    let error = client
        .fetch_external(&web.join("/large").unwrap(), 100)
        .await
        .unwrap_err();
    assert!(matches!(error, HomeserverError::TooLarge { limit: 100 }), "{error:?}");
    let gone = client
        .fetch_external(&web.join("/gone").unwrap(), 100)
        .await
        .unwrap_err();
    assert_eq!((gone.status(), gone.retry()), (Some(410), Retry::Never));
    let busy = client
        .fetch_external(&web.join("/busy").unwrap(), 100)
        .await
        .unwrap_err();
    assert_eq!((busy.status(), busy.retry()), (Some(503), Retry::Backoff));
}
