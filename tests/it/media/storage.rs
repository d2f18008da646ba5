//! Files that are fetched from Nova's storage, and storage that means ill.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde_json::json;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use super::{SVG, bomb, chat, kept, png};
use crate::support::bridge::TestBridge;
use crate::support::homeserver::{Fault, On};

type Objects = Arc<Mutex<HashMap<String, Bytes>>>;

/// A web server that keeps what is put, and has some bad habits.
pub(super) struct Storage {
    pub(super) host: String,
    port: u16,
}

impl Storage {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let objects = Objects::default();
        let put = async |State(objects): State<Objects>, Path(key): Path<String>, body: Bytes| {
            objects.lock().unwrap().insert(key, body);
        };
        let router = Router::new()
            .route("/{*key}", get(give).put(put))
            .route(
                "/to/{where}",
                get(async move |Path(at): Path<String>| redirect(&at, port)),
            )
            .with_state(objects);
        TaskTracker::new().spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            host: format!("127.0.0.1:{port}"),
            port,
        }
    }

    fn section(&self) -> String {
        format!(
            "media: {{ max_size_mb: 1, storage_hosts: ['localhost:{}'], internal_storage_hosts: ['{}'] }}\n",
            self.port, self.host
        )
    }
}

async fn give(State(objects): State<Objects>, Path(key): Path<String>) -> Response {
    let endless = || {
        let zeros = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 10_000])));
        Body::from_stream(zeros).into_response()
    };
    match key.as_str() {
        "good.png" => png().into_response(),
        "endless.bin" => endless(),
        "large.bin" => vec![0; 1_000_001].into_response(),
        "wrong.png" => ([("content-type", "image/png")], "#!/bin/sh\nrm -rf /").into_response(),
        "script.png" => SVG.into_response(),
        "bomb.png" => bomb().into_response(),
        "empty.bin" => ().into_response(),
        "busy.bin" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        key => match objects.lock().unwrap().get(key) {
            Some(bytes) => bytes.clone().into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
    }
}

fn redirect(to: &str, port: u16) -> Redirect {
    Redirect::temporary(&match to {
        "good" => "/good.png".to_owned(),
        "private" => format!("http://localhost:{port}/good.png"),
        "metadata" => "http://169.254.169.254/latest/meta-data/".to_owned(),
        "file" => "file:///etc/passwd".to_owned(),
        _ => "/to/round".to_owned(),
    })
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn a_file_of_novas_storage_is_taken_over_once(pool: PgPool) {
    let storage = Storage::start().await;
    let bridge = TestBridge::with_sections(pool, "", &storage.section()).await;
    let chat = chat(&bridge).await;
    // While the homeserver does not take it, it is still where it was.
    bridge
        .homeserver
        .fail_every(On::Upload, Fault::Status(502, "M_UNKNOWN", None));
    let body = json!({ "media_url": format!("http://{}/good.png", storage.host), "content": "look" });
    let (status, sent) = chat.send(body).await;
    assert_eq!((status, &sent["message_type"]), (200, &json!("image")), "{sent}");
    let link = sent["media_url"].as_str().unwrap();
    let seen = chat.nova.open_link(link).send().await.unwrap();
    assert_eq!(
        (seen.url().port(), seen.bytes().await.unwrap().to_vec()),
        (Some(storage.port), png())
    );
    bridge.homeserver.heal();
    // The event is lost on its way, and the file is not taken over again.
    bridge
        .homeserver
        .fail_next(On::Send, Fault::Status(502, "M_UNKNOWN", None));
    let content = chat.arrives(&bridge, "m.image").await;
    assert_eq!(
        (&content["body"], &content["filename"]),
        (&json!("look"), &json!("good.png"))
    );
    assert_eq!(kept(&bridge, &content["url"]), ("image/png".to_owned(), png()));
    assert_eq!(bridge.homeserver.inspect(|world| world.media.len()), 1);
    let seen = chat.nova.open_link(link).send().await.unwrap();
    assert_eq!(seen.url().as_str(), link, "now it is here");
    chat.send(json!({ "media_url": format!("http://{}/to/good", storage.host), "message_type": "file", "file_name": "x.bin" })).await;
    let content = chat.arrives(&bridge, "m.file").await;
    assert_eq!(
        (&content["body"], &content["info"]["mimetype"]),
        (&json!("x.bin"), &json!("image/png"))
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn storage_that_means_ill_is_refused_with_a_reason_and_holds_nobody_up(pool: PgPool) {
    let storage = Storage::start().await;
    let bridge = TestBridge::with_sections(pool, "", &storage.section()).await;
    let chat = chat(&bridge).await;
    let mut socket = chat.nova.socket().await;
    let here = format!("http://{}", storage.host);
    let named = format!("http://localhost:{}/good.png", storage.port);
    for (url, reason) in [
        (
            format!("{here}/wrong.png"),
            "said to be image, but its content is text/x-shellscript",
        ),
        (
            format!("{here}/script.png"),
            "an SVG is a document that can hold scripts",
        ),
        (format!("{here}/bomb.png"), "the picture has 50000 x 50000 pixels"),
        (format!("{here}/endless.bin"), "the file is larger than 1000000 bytes"),
        (format!("{here}/large.bin"), "the file is larger than 1000000 bytes"),
        (format!("{here}/empty.bin"), "the file is empty"),
        (format!("{here}/none.bin"), "Nova's storage answered with status 404"),
        (format!("{here}/to/private"), "the address leads into a private network"),
        (
            format!("{here}/to/metadata"),
            "the address is not one of Nova's storage",
        ),
        (format!("{here}/to/file"), "the address is not http or https"),
        (format!("{here}/to/round"), "too many redirects"),
        (named, "the address leads into a private network"),
    ] {
        let (status, sent) = chat.send(json!({ "media_url": url })).await;
        assert_eq!(status, 200, "{url}: {sent}");
        let told = socket.next("message.delivery").await;
        assert_eq!(
            (&told["message_id"], &told["status"]),
            (&sent["id"], &json!("failed")),
            "{url}: {told}"
        );
        assert!(told["detail"].as_str().unwrap().contains(reason), "{url}: {told}");
    }
    chat.nova.say(&chat.conversation, "still here").await;
    chat.arrives(&bridge, "m.text").await;
    assert!(
        bridge.homeserver.inspect(|world| world.media.is_empty()),
        "nothing of it came to the homeserver"
    );
    let failed = &chat.shown().await[0];
    assert_eq!(failed["delivery_status"], "failed");
    assert!(
        failed["delivery_detail"]
            .as_str()
            .unwrap()
            .contains("text/x-shellscript")
    );
}

#[sqlx::test(migrator = "nova_bridge::store::MIGRATOR")]
async fn storage_that_is_busy_is_asked_again_but_not_for_ever(pool: PgPool) {
    let storage = Storage::start().await;
    let bridge = TestBridge::with_sections(pool, "", &storage.section()).await;
    let chat = chat(&bridge).await;
    let mut socket = chat.nova.socket().await;
    chat.send(json!({ "media_url": format!("http://{}/busy.bin", storage.host) }))
        .await;
    chat.nova.say(&chat.conversation, "after").await;
    let told = loop {
        let told = tokio::time::timeout(Duration::from_mins(1), socket.next("message.delivery"))
            .await
            .unwrap();
        if told["status"] == "failed" {
            break told;
        }
    };
    assert!(told["detail"].as_str().unwrap().contains("status 503"), "{told}");
    chat.arrives(&bridge, "m.text").await;
}
