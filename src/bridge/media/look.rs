//! What a file is, by its content: what somebody says of it is only a wish.

use std::io::{BufReader, Cursor, Read};

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::Refused;
use crate::domain::media::{Kind, mime};

/// More pixels than this have no camera and no screen, but a few kilobytes can say that they have.
const MAX_PIXELS: u64 = 200_000_000;
/// A JPEG is looked at up to here; its decoder would read all of it.
const JPEG_HEAD: u64 = 1 << 20;
/// The largest edge of a small picture that is decoded, and the memory for that.
const SMALL_EDGE: u32 = 2048;
const SMALL_MEMORY: u64 = 32 << 20;
/// A blurhash is made of so few pixels, and has so many parts in each direction.
const BLUR_EDGE: u32 = 32;
const BLUR_PARTS: (u32, u32) = (4, 3);

/// Pictures that clients can show.
const PICTURES: [&str; 6] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "image/heif",
];
/// Types that may hold sound, pictures, or both.
const CONTAINERS: [&str; 5] = ["mp4", "webm", "ogg", "quicktime", "x-matroska"];

/// What a file turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::bridge) struct Seen {
    pub(in crate::bridge) kind: Kind,
    pub(in crate::bridge) mime: String,
}

/// What a file is that begins like this. `claimed` is its type by who sends it, `wanted` what it shall be shown as.
pub(in crate::bridge) fn judge(head: &[u8], claimed: Option<&str>, wanted: Option<Kind>) -> Result<Seen, Refused> {
    let found = recognised(head);
    let claimed = claimed
        .and_then(mime)
        .filter(|claimed| claimed != "application/octet-stream");
    let natural = || match &found {
        Some(found) if found.starts_with("image/") && !PICTURES.contains(&found.as_str()) => Kind::File,
        Some(found) => Kind::of_mime(found),
        None => Kind::File,
    };
    let kind = wanted
        .or_else(|| claimed.as_deref().map(Kind::of_mime))
        .unwrap_or_else(natural);
    let wrong = || Refused::WrongType {
        claimed: claimed.clone().unwrap_or_else(|| kind.noun().to_owned()),
        found: found.clone().unwrap_or_else(|| "of no type that is known".to_owned()),
    };
    let mime = match kind {
        Kind::Image | Kind::Sticker => match &found {
            Some(found) if PICTURES.contains(&found.as_str()) => found.clone(),
            _ if is_svg(head) => return Err(Refused::Scriptable),
            _ => return Err(wrong()),
        },
        Kind::Video => heard(found.as_deref(), "video").ok_or_else(wrong)?,
        Kind::Audio | Kind::Voice => heard(found.as_deref(), "audio").ok_or_else(wrong)?,
        // What is not recognised may be called what it likes, but no picture, sound or film.
        Kind::File => found
            .or_else(|| claimed.filter(|claimed| Kind::of_mime(claimed) == Kind::File))
            .unwrap_or_else(|| "application/octet-stream".to_owned()),
    };
    Ok(Seen { kind, mime })
}

fn recognised(head: &[u8]) -> Option<String> {
    let found = infer::get(head)?.mime_type();
    Some(match found {
        "audio/opus" => "audio/ogg".to_owned(),
        "audio/m4a" => "audio/mp4".to_owned(),
        "audio/x-wav" => "audio/wav".to_owned(),
        "video/x-m4v" => "video/mp4".to_owned(),
        found => found.to_owned(),
    })
}

/// A type of sound or film, as the wanted one of the two where its container may hold either.
fn heard(found: Option<&str>, family: &str) -> Option<String> {
    let (is, container) = found?.split_once('/')?;
    match is {
        _ if is == family => Some(format!("{family}/{container}")),
        "audio" | "video" if CONTAINERS.contains(&container) => Some(format!("{family}/{container}")),
        _ => None,
    }
}

fn is_svg(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let text = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    text.starts_with('<') && text.to_ascii_lowercase().contains("<svg")
}

/// Width and height of a picture as it is shown, from its header. `None` where that does not say.
pub(in crate::bridge) fn dimensions(file: std::fs::File, mime: &str) -> Result<Option<(u32, u32)>, Refused> {
    let found = match ImageFormat::from_mime_type(mime) {
        Some(ImageFormat::Jpeg) => {
            let mut head = Vec::new();
            let read = file.take(JPEG_HEAD).read_to_end(&mut head).map_err(Refused::Disk);
            read.map(|_| edges(ImageReader::with_format(Cursor::new(head), ImageFormat::Jpeg)))?
        }
        Some(format) => edges(ImageReader::with_format(BufReader::new(file), format)),
        None => None,
    };
    match found {
        Some((width, height)) if u64::from(width) * u64::from(height) > MAX_PIXELS => {
            Err(Refused::TooManyPixels { width, height })
        }
        found => Ok(found),
    }
}

fn edges(reader: ImageReader<impl std::io::BufRead + std::io::Seek>) -> Option<(u32, u32)> {
    use image::metadata::Orientation;
    let mut decoder = reader.into_decoder().ok()?;
    let (width, height) = decoder.dimensions();
    let turned = match decoder.orientation().unwrap_or(Orientation::NoTransforms) {
        Orientation::Rotate90 | Orientation::Rotate270 | Orientation::Rotate90FlipH | Orientation::Rotate270FlipH => {
            true
        }
        Orientation::NoTransforms
        | Orientation::Rotate180
        | Orientation::FlipHorizontal
        | Orientation::FlipVertical => false,
    };
    Some(if turned { (height, width) } else { (width, height) })
}

/// Size and blurhash of a small picture. `None` where it is none, or not small.
pub(in crate::bridge) fn small_picture(bytes: &[u8]) -> Option<((u32, u32), String)> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SMALL_EDGE);
    limits.max_image_height = Some(SMALL_EDGE);
    limits.max_alloc = Some(SMALL_MEMORY);
    reader.limits(limits);
    let picture: DynamicImage = reader.decode().ok()?;
    let size = (picture.width(), picture.height());
    let tiny = picture.thumbnail(BLUR_EDGE, BLUR_EDGE).to_rgba8();
    let (across, down) = BLUR_PARTS;
    let hash = blurhash::encode(across, down, tiny.width(), tiny.height(), tiny.as_raw()).ok()?;
    Some((size, hash))
}

#[cfg(test)]
mod tests;
