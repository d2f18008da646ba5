use std::io::{Seek, SeekFrom, Write};

use super::*;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x01\x08\x06\0\0\0";
const SVG: &[u8] = b"\xef\xbb\xbf<?xml version='1.0'?>\n<SVG onload='alert(1)'/>";
const WEBM: &[u8] = b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm";
const OGG: &[u8] = b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead";
const ELF: &[u8] = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\x01\0\0\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// As long as any real one.
fn webm() -> Vec<u8> {
    [WEBM, &[0; 300]].concat()
}

fn seen(head: &[u8], claimed: Option<&str>, wanted: Option<Kind>) -> Result<(Kind, String), String> {
    let judged = judge(head, claimed, wanted);
    judged
        .map(|seen| (seen.kind, seen.mime))
        .map_err(|refused| refused.to_string())
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what is seen")]
fn is(kind: Kind, mime: &str) -> Result<(Kind, String), String> {
    Ok((kind, mime.to_owned()))
}

#[test]
fn the_content_says_what_it_is() {
    assert_eq!(seen(PNG, None, None), is(Kind::Image, "image/png"));
    assert_eq!(seen(PNG, Some("image/jpeg"), None), is(Kind::Image, "image/png"));
    assert_eq!(
        seen(PNG, Some("application/octet-stream"), None),
        is(Kind::Image, "image/png")
    );
    assert_eq!(seen(PNG, None, Some(Kind::File)), is(Kind::File, "image/png"));
    assert_eq!(seen(&webm(), None, None), is(Kind::Video, "video/webm"));
    assert_eq!(
        seen(&webm(), Some("audio/webm;codecs=opus"), None),
        is(Kind::Audio, "audio/webm")
    );
    assert_eq!(seen(OGG, None, Some(Kind::Voice)), is(Kind::Voice, "audio/ogg"));
    assert_eq!(seen(b"hello", Some("text/plain"), None), is(Kind::File, "text/plain"));
    assert_eq!(seen(b"hello", None, None), is(Kind::File, "application/octet-stream"));
    assert_eq!(
        seen(b"hello", Some("image/png"), Some(Kind::File)),
        is(Kind::File, "application/octet-stream")
    );
    assert_eq!(seen(SVG, None, None).unwrap().0, Kind::File);
    assert_eq!(
        seen(b"<html><script>", Some("application/pdf"), None),
        is(Kind::File, "text/html")
    );
}

#[test]
fn what_is_not_what_it_is_said_to_be_is_refused() {
    insta::assert_snapshot!(seen(ELF, Some("image/png"), None).unwrap_err(), @"the file is said to be image/png, but its content is application/x-executable");
    insta::assert_snapshot!(seen(b"hello", None, Some(Kind::Image)).unwrap_err(), @"the file is said to be image, but its content is of no type that is known");
    insta::assert_snapshot!(seen(PNG, Some("audio/ogg"), None).unwrap_err(), @"the file is said to be audio/ogg, but its content is image/png");
    insta::assert_snapshot!(seen(SVG, Some("image/svg+xml"), None).unwrap_err(), @"an SVG is a document that can hold scripts and is no image here; it can be sent as a file");
    for (head, wanted) in [
        (SVG, Kind::Image),
        (OGG, Kind::Image),
        (PNG, Kind::Voice),
        (ELF, Kind::Video),
    ] {
        assert!(seen(head, None, Some(wanted)).is_err(), "{wanted:?}");
    }
}

fn on_disk(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file
}

fn encoded(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = DynamicImage::new_rgb8(width, height);
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[test]
fn pictures_are_measured_by_their_headers() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Gif, ImageFormat::WebP] {
        let bytes = encoded(format, 30, 20);
        let size = dimensions(on_disk(&bytes), format.to_mime_type()).unwrap();
        assert_eq!(size, Some((30, 20)), "{format:?}");
        let (size, hash) = small_picture(&bytes).unwrap();
        assert_eq!(size, (30, 20));
        assert!(hash.len() > 6, "{hash}");
    }
    assert_eq!(dimensions(on_disk(b"broken"), "image/png").unwrap(), None);
    assert_eq!(dimensions(on_disk(b"broken"), "image/avif").unwrap(), None);
    assert_eq!(small_picture(b"broken"), None);
}

#[test]
fn a_picture_that_unpacks_without_end_is_refused_by_its_header() {
    let mut bomb = encoded(ImageFormat::Png, 1, 1);
    bomb[16..24].copy_from_slice(&[0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50]);
    let checksum = crc(&bomb[12..29]);
    bomb[29..33].copy_from_slice(&checksum.to_be_bytes());
    let error = dimensions(on_disk(&bomb), "image/png").unwrap_err().to_string();
    insta::assert_snapshot!(error, @"the picture has 50000 x 50000 pixels, which is more than can be shown");
    assert_eq!(small_picture(&bomb), None);
}

/// The checksum of PNG's chunks.
fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _: u32| {
        if crc & 1 == 1 {
            0xedb8_8320 ^ (crc >> 1)
        } else {
            crc >> 1
        }
    };
    !bytes
        .iter()
        .fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}
