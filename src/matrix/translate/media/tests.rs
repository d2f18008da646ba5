use serde_json::json;

use super::*;

fn read_file(msgtype: &str, content: &Value) -> (String, File) {
    let text = read(msgtype, content).unwrap();
    let Some(Media::File(file)) = text.media else {
        unreachable!("{content}")
    };
    (text.plain, *file)
}

#[test]
fn every_kind_is_read() {
    for (msgtype, kind) in [
        ("m.image", Kind::Image),
        ("m.video", Kind::Video),
        ("m.audio", Kind::Audio),
        ("m.file", Kind::File),
        ("m.sticker", Kind::Sticker),
    ] {
        let content = json!({ "body": "a/cat.png", "url": "mxc://x.org/abc" });
        let (caption, file) = read_file(msgtype, &content);
        assert_eq!(
            (caption.as_str(), file.kind, file.name.as_str()),
            ("cat.png", kind, "cat.png")
        );
        assert_eq!(file.mxc(), Some("mxc://x.org/abc"));
    }
}

#[test]
fn what_is_said_of_an_image_is_read() {
    let content = json!({
        "body": "look <b>", "filename": "hill.jpg", "url": "mxc://x/y", "format": "org.matrix.custom.html",
        "formatted_body": "look <b>up</b><script>x</script>",
        "info": { "mimetype": "image/jpeg", "size": 12345, "w": 640, "h": 480.0, BLURHASH: "LEHV6nWB2yk8pyo0adR*",
                  "thumbnail_url": "mxc://x/z", "thumbnail_info": { "mimetype": "image/png", "w": 64, "h": 48, "size": 99 } },
    });
    let text = read("m.image", &content).unwrap();
    assert_eq!(text.formatted.as_deref(), Some("look <b>up</b>x"));
    let (caption, file) = read_file("m.image", &content);
    assert_eq!((caption.as_str(), file.name.as_str()), ("look <b>", "hill.jpg"));
    assert_eq!(
        (file.mime.as_deref(), file.size, file.dimensions),
        (Some("image/jpeg"), Some(12345), Some((640, 480)))
    );
    assert_eq!(file.blurhash.as_deref(), Some("LEHV6nWB2yk8pyo0adR*"));
    assert_eq!(file.thumbnail.unwrap().dimensions, Some((64, 48)));
}

#[test]
fn a_voice_message_has_a_length_and_a_waveform() {
    let content = json!({
        "body": "Voice message.ogg", "url": "mxc://x/y", "info": { "duration": 1, "mimetype": "audio/ogg" },
        VOICE: {}, AUDIO: { "duration": 4200, "waveform": [0, 512.5, 99999, "x"] },
    });
    let (_, file) = read_file("m.audio", &content);
    assert_eq!((file.kind, file.duration_ms), (Kind::Voice, Some(4200)));
    assert_eq!(file.waveform, [0, 512, 1024, 0]);
}

#[test]
fn claims_that_make_no_sense_are_left_out() {
    let content = json!({
        "body": 7, "url": "mxc://x/y",
        "info": { "mimetype": "text/html\r\nx: y", "size": -1, "w": 0, "h": 1e300, "duration": "long", BLURHASH: 5,
                  "thumbnail_url": "https://evil.example/x" },
    });
    let (_, file) = read_file("m.image", &content);
    assert_eq!(
        file,
        File::new(Kind::Image, Source::Mxc("mxc://x/y".to_owned()), "image")
    );
    for bad in [
        json!(null),
        json!("https://x/y"),
        json!("mxc://x"),
        json!("mxc://x/../y"),
    ] {
        assert_eq!(read("m.image", &json!({ "body": "x", "url": bad })), None, "{bad}");
    }
    assert_eq!(read("m.unheard-of", &json!({ "url": "mxc://x/y" })), None);
}

#[test]
fn an_encrypted_file_becomes_words() {
    let content = json!({ "body": "x/secret.png", "file": { "url": "mxc://x/y", "key": {} } });
    let text = read("m.image", &content).unwrap();
    assert_eq!((text.style, text.media), (Style::Notice, None));
    assert_eq!(text.plain, "Encrypted image that Nova cannot read: secret.png");
}

#[test]
fn places_are_read_without_what_clients_write_into_the_body() {
    let old = json!({ "body": "Location geo:1,2 at noon", "geo_uri": "geo:1,2;u=5" });
    let Some(Media::Place(place)) = read("m.location", &old).unwrap().media else {
        unreachable!()
    };
    assert_eq!((place.uri().as_str(), place.label()), ("geo:1,2;u=5", "Location"));
    let new = json!({ "body": "x", "geo_uri": "geo:0,0", LOCATION: { "uri": "geo:3,4", "description": "Home" } });
    let text = read("m.location", &new).unwrap();
    assert_eq!(text.media.unwrap().label(), "Home");
    assert_eq!(read("m.location", &json!({ "body": "x", "geo_uri": "geo:99,0" })), None);
}

#[test]
fn every_content_that_is_sent() {
    let base = File {
        mime: Some("image/png".to_owned()),
        size: Some(99),
        dimensions: Some((4, 3)),
        blurhash: Some("LEHV6nWB2yk8pyo0adR*".to_owned()),
        thumbnail: Some(Thumbnail {
            mxc: "mxc://x/t".to_owned(),
            mime: Some("image/png".to_owned()),
            size: Some(9),
            dimensions: Some((2, 1)),
        }),
        ..File::new(Kind::Image, Source::Mxc("mxc://x/y".to_owned()), "cat.png")
    };
    let voice = File {
        duration_ms: Some(4200),
        waveform: vec![0, 1024],
        mime: Some("audio/ogg".to_owned()),
        ..File::new(Kind::Voice, Source::Mxc("mxc://x/v".to_owned()), "v.ogg")
    };
    let video = File::new(Kind::Video, Source::Mxc("mxc://x/w".to_owned()), "w.mp4");
    let said = |plain: &str, media: Media| Text {
        formatted: (!plain.is_empty()).then(|| "<b>look</b>".to_owned()),
        ..Text::carrying(media, plain)
    };
    let all = [
        said("", Media::File(Box::new(base.clone()))),
        said("look", Media::File(Box::new(base))),
        said("", Media::File(Box::new(voice))),
        said("", Media::File(Box::new(video))),
        said(
            "",
            Media::Place(Place::parse("geo:1,2").unwrap().described(Some("Home"))),
        ),
    ];
    let contents: Vec<_> = all.iter().map(|text| content(text).unwrap()).collect();
    insta::assert_json_snapshot!(contents);
    // What Element would send back is what was said.
    for (text, content) in all.iter().zip(contents) {
        let content = Value::Object(content);
        let msgtype = content["msgtype"].as_str().unwrap();
        let again = read(msgtype, &content).unwrap();
        assert_eq!((&again.media, &again.plain), (&text.media, &text.plain));
    }
    let waiting = File::new(Kind::File, Source::Url("https://x/y".to_owned()), "y");
    assert_eq!(content(&said("", Media::File(Box::new(waiting)))), None);
}
