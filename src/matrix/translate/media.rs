//! Files and places in events: read as leniently as they come, written as Element understands them.
//!
//! `m.image`, `m.video`, `m.audio`, `m.file`, `m.location`, `m.sticker` of the
//! [specification](https://spec.matrix.org/v1.16/client-server-api/#instant-messaging), captions (MSC2530, part of it),
//! voice messages ([MSC3245](https://github.com/matrix-org/matrix-spec-proposals/pull/3245) with the audio of
//! [MSC1767](https://github.com/matrix-org/matrix-spec-proposals/pull/1767)), blurhashes
//! ([MSC2448](https://github.com/matrix-org/matrix-spec-proposals/pull/2448)), places
//! ([MSC3488](https://github.com/matrix-org/matrix-spec-proposals/pull/3488)).

use ruma::MxcUri;
use serde_json::{Map, Value, json};

use super::inbound::safe_html;
use super::outbound::mentions;
use crate::domain::media::{File, Kind, Media, Place, Source, Thumbnail, blurhash, file_name, mime, waveform};
use crate::domain::message::{MAX_TEXT_BYTES, Style, Text, shortened, storable};

const BLURHASH: &str = "xyz.amorgan.blurhash";
const VOICE: &str = "org.matrix.msc3245.voice";
const AUDIO: &str = "org.matrix.msc1767.audio";
const LOCATION: &str = "org.matrix.msc3488.location";
const ASSET: &str = "org.matrix.msc3488.asset";

/// More pixels than this in one direction are a mistake.
const MAX_EDGE: u64 = 1 << 20;

/// Reads a message that carries a file or a place. `None` where the type is no such, or what belongs to it is missing.
pub(super) fn read(msgtype: &str, content: &Value) -> Option<Text> {
    let kind = match msgtype {
        "m.image" => Kind::Image,
        "m.video" => Kind::Video,
        "m.audio" if [VOICE, "m.voice"].iter().any(|key| content.get(key).is_some()) => Kind::Voice,
        "m.audio" => Kind::Audio,
        "m.file" => Kind::File,
        "m.sticker" => Kind::Sticker,
        "m.location" => return place(content),
        _ => return None,
    };
    let text = |key: &str| {
        content
            .get(key)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    // With a `filename` of its own, the body is a caption. A sticker's body describes it.
    let (name, caption) = match (text("filename"), text("body")) {
        (Some(name), Some(body)) if name != body && kind != Kind::Sticker => (Some(name), Some(body)),
        (name, body) => (name.or(body), None),
    };
    let name = file_name(name.unwrap_or_default(), kind);
    let Some(mxc) = address(content.get("url")) else {
        return content
            .get("file")
            .is_some_and(Value::is_object)
            .then(|| sealed(kind, &name));
    };
    let info = content.get("info").unwrap_or(&Value::Null);
    let audio = content.get(AUDIO).unwrap_or(&Value::Null);
    let heard = audio.get("waveform").and_then(Value::as_array).into_iter().flatten();
    let file = File {
        mime: info.get("mimetype").and_then(Value::as_str).and_then(mime),
        size: info
            .get("size")
            .and_then(number)
            .filter(|size| i64::try_from(*size).is_ok()),
        dimensions: dimensions(info),
        duration_ms: [audio, info]
            .into_iter()
            .find_map(|it| it.get("duration").and_then(number)),
        waveform: waveform(heard.map(|value| number(value).unwrap_or_default())),
        blurhash: [BLURHASH, "blurhash"]
            .iter()
            .find_map(|key| blurhash(info.get(key)?.as_str()?)),
        thumbnail: thumbnail(info),
        ..File::new(kind, Source::Mxc(mxc), &name)
    };
    let formatted = caption.and_then(|_| super::inbound::html(content));
    let caption = caption.map(words).unwrap_or_default();
    Some(Text {
        formatted,
        everybody: super::inbound::addresses_everybody(content),
        ..Text::carrying(Media::File(Box::new(file)), &caption)
    })
}

/// A file in an unencrypted room that is encrypted itself: only who has its key can see it.
fn sealed(kind: Kind, name: &str) -> Text {
    let what = kind.noun();
    Text {
        style: Style::Notice,
        ..Text::plain(format!("Encrypted {what} that Nova cannot read: {name}"))
    }
}

fn place(content: &Value) -> Option<Text> {
    let newer = content.get(LOCATION).or_else(|| content.get("m.location"));
    let uri = newer.and_then(|it| it.get("uri")).or_else(|| content.get("geo_uri"))?;
    let words = newer.and_then(|it| it.get("description")).and_then(Value::as_str);
    // Element writes the address and the time into the body; only a description is for people.
    let place = Place::parse(uri.as_str()?)?.described(words);
    Some(Text::carrying(Media::Place(place), ""))
}

fn words(text: &str) -> String {
    shortened(storable(text.to_owned()), MAX_TEXT_BYTES * 2)
}

fn address(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?;
    // What ruma takes for parts is what can be asked for.
    <&MxcUri>::from(text).parts().is_ok().then(|| text.to_owned())
}

/// A whole number that is not negative; some clients write fractions.
fn number(value: &Value) -> Option<u64> {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it saturates"
    )]
    let whole = |number: f64| (number.is_finite() && number >= 0.0).then_some(number as u64);
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

fn dimensions(info: &Value) -> Option<(u32, u32)> {
    let edge = |key: &str| {
        let pixels = info
            .get(key)
            .and_then(number)
            .filter(|pixels| (1..=MAX_EDGE).contains(pixels))?;
        u32::try_from(pixels).ok()
    };
    Some((edge("w")?, edge("h")?))
}

fn thumbnail(info: &Value) -> Option<Thumbnail> {
    let small = info.get("thumbnail_info").unwrap_or(&Value::Null);
    Some(Thumbnail {
        mxc: address(info.get("thumbnail_url"))?,
        mime: small.get("mimetype").and_then(Value::as_str).and_then(mime),
        size: small.get("size").and_then(number),
        dimensions: dimensions(small),
    })
}

/// The content that carries a file or a place, without the marker. `None` while the file is not on the homeserver.
#[must_use]
pub fn content(text: &Text) -> Option<Map<String, Value>> {
    let Value::Object(mut content) = (match text.media.as_ref()? {
        Media::File(file) => of_file(file)?,
        Media::Place(place) => of_place(place),
    }) else {
        return None;
    };
    content.insert("body".to_owned(), json!(text.plain));
    if let Some(html) = &text.formatted {
        content.insert("format".to_owned(), json!("org.matrix.custom.html"));
        content.insert("formatted_body".to_owned(), json!(safe_html(html)));
    }
    content.insert("m.mentions".to_owned(), mentions(text));
    Some(content)
}

fn of_file(file: &File) -> Option<Value> {
    let msgtype = match file.kind {
        Kind::Image | Kind::Sticker => "m.image",
        Kind::Video => "m.video",
        Kind::Audio | Kind::Voice => "m.audio",
        Kind::File => "m.file",
    };
    let mut info = Map::new();
    let mut know = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            info.insert(key.to_owned(), value);
        }
    };
    know("mimetype", file.mime.as_ref().map(|it| json!(it)));
    know("size", file.size.map(|it| json!(it)));
    know("w", file.dimensions.map(|(width, _)| json!(width)));
    know("h", file.dimensions.map(|(_, height)| json!(height)));
    know("duration", file.duration_ms.map(|it| json!(it)));
    know(BLURHASH, file.blurhash.as_ref().map(|it| json!(it)));
    if let Some(small) = &file.thumbnail {
        let (width, height) = small.dimensions.unzip();
        know("thumbnail_url", Some(json!(small.mxc)));
        know(
            "thumbnail_info",
            Some(json!({ "mimetype": small.mime, "size": small.size, "w": width, "h": height })),
        );
    }
    let mut content = json!({
        "msgtype": msgtype, "filename": file.name, "url": file.mxc()?, "info": info,
    });
    if let (Kind::Audio | Kind::Voice, Some(content)) = (file.kind, content.as_object_mut()) {
        let mut audio = Map::new();
        if let Some(duration) = file.duration_ms {
            audio.insert("duration".to_owned(), json!(duration));
        }
        if !file.waveform.is_empty() {
            audio.insert("waveform".to_owned(), json!(file.waveform));
        }
        content.insert(AUDIO.to_owned(), Value::Object(audio));
        if file.kind == Kind::Voice {
            content.insert(VOICE.to_owned(), json!({}));
        }
    }
    Some(content)
}

fn of_place(place: &Place) -> Value {
    let uri = place.uri();
    json!({
        "msgtype": "m.location", "geo_uri": uri,
        LOCATION: { "uri": uri, "description": place.description }, ASSET: { "type": "m.pin" },
    })
}

#[cfg(test)]
mod tests;
