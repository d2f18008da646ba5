//! Files and places, both ways.

mod attachments;
mod from_matrix;
mod memory;
mod storage;
mod to_matrix;

use serde_json::{Value, json};

use crate::chat::direct;
use crate::support::bridge::{NovaUser, TestBridge};

/// A picture of 4 by 3 pixels.
fn png() -> Vec<u8> {
    picture(4, 3)
}

fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::DynamicImage::new_rgb8(width, height);
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A picture that says that it has 2.5 billion pixels.
fn bomb() -> Vec<u8> {
    let mut bytes = picture(1, 1);
    bytes[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let step = |crc: u32, _: u32| {
        if crc & 1 == 1 {
            0xedb8_8320 ^ (crc >> 1)
        } else {
            crc >> 1
        }
    };
    let checked = bytes[12..29].iter();
    let crc = !checked.fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step));
    bytes[29..33].copy_from_slice(&crc.to_be_bytes());
    bytes
}

const SVG: &str = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>";

/// How Opus in Ogg begins.
fn ogg() -> Vec<u8> {
    let mut bytes =
        b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead\x01\x01\0\0\x80\xbb\0\0\0\0\0".to_vec();
    bytes.resize(500, 1);
    bytes
}

/// A chat, with the homeserver's side of it.
struct Chat {
    nova: NovaUser,
    room: String,
    conversation: String,
}

async fn chat(bridge: &TestBridge) -> Chat {
    let nova = bridge.account("ana").await;
    let (room, conversation) = direct(bridge, &nova).await;
    Chat {
        nova,
        room,
        conversation,
    }
}

impl Chat {
    async fn send(&self, body: Value) -> (u16, Value) {
        let path = format!("/conversations/{}/messages", self.conversation);
        self.nova.post(&path, body).await
    }

    /// The messages that Nova shows.
    async fn shown(&self) -> Vec<Value> {
        let path = format!("/conversations/{}/messages", self.conversation);
        let (status, list) = self.nova.get(&path).await;
        assert_eq!(status, 200, "{list}");
        list.as_array().unwrap().clone()
    }

    /// The content of the message of that type that the ghost sent.
    async fn arrives(&self, bridge: &TestBridge, msgtype: &str) -> Value {
        let found = bridge.homeserver.wait_for(msgtype, |world| {
            let timeline = &world.rooms.get(&self.room)?.timeline;
            let ours =
                |event: &&Value| event["sender"] == self.nova.mxid.as_str() && event["content"]["msgtype"] == msgtype;
            Some(timeline.iter().find(ours)?["content"].clone())
        });
        found.await
    }
}

/// What is kept under an address.
fn kept(bridge: &TestBridge, mxc: &Value) -> (String, Vec<u8>) {
    bridge.homeserver.inspect(|world| {
        let (content_type, bytes) = &world.media[mxc.as_str().unwrap()];
        (content_type.clone(), bytes.to_vec())
    })
}

fn image_content(mxc: &str) -> Value {
    json!({
        "msgtype": "m.image", "body": "hill.png", "url": mxc,
        "info": { "mimetype": "image/png", "w": 4, "h": 3, "size": 70 },
    })
}
