//! Names of files, which must not lead anywhere and must not look like something else.

use super::Kind;
use crate::domain::message::storable;

/// The longest name, in bytes: what file systems take.
const MAX_BYTES: usize = 200;

/// A name that can be shown and saved: without a path, control characters, and what turns the direction of reading
/// (`photo\u{202e}gnp.exe`). A name of nothing else becomes the kind's.
#[must_use]
pub fn file_name(text: &str, kind: Kind) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = storable(last.to_owned())
        .chars()
        .filter(|c| !is_hidden(*c))
        .map(plain)
        .collect();
    let clean = clean.trim().trim_start_matches('.').trim();
    if clean.is_empty() {
        return kind.noun().to_owned();
    }
    shortened(clean)
}

/// Whether a name is more than a name.
#[must_use]
pub fn has_path(text: &str) -> bool {
    text.contains(['/', '\\', '\0']) || matches!(text.trim(), "." | "..")
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// What some file system cannot have in a name.
const fn plain(c: char) -> char {
    match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        c => c,
    }
}

/// Cuts the middle out of a long name: its end says what it is.
fn shortened(name: &str) -> String {
    if name.len() <= MAX_BYTES {
        return name.to_owned();
    }
    let end = name
        .rfind('.')
        .filter(|dot| name.len() - dot <= 20)
        .unwrap_or(name.len());
    let (stem, extension) = name.split_at(end);
    let room = MAX_BYTES.saturating_sub(extension.len());
    let mut cut = room.min(stem.len());
    while !stem.is_char_boundary(cut) {
        cut = cut.saturating_sub(1);
    }
    let (stem, _) = stem.split_at(cut);
    format!("{stem}{extension}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_names() {
        for (given, name) in [
            ("photo.png", "photo.png"),
            ("../../etc/passwd", "passwd"),
            ("C:\\Windows\\a.exe", "a.exe"),
            ("..", "image"),
            ("a/", "image"),
            (".bashrc", "bashrc"),
            ("photo\u{202e}gnp.exe", "photognp.exe"),
            ("a\"b\r\nc: d.png", "a_bc_ d.png"),
            ("Ünïcödé 漢字.pdf", "Ünïcödé 漢字.pdf"),
        ] {
            assert_eq!(file_name(given, Kind::Image), name, "{given:?}");
        }
        let long = file_name(&format!("{}.jpeg", "ж".repeat(300)), Kind::Image);
        assert!(long.len() <= 200 && long.ends_with("ж.jpeg"), "{long}");
        assert!(has_path("a/b") && has_path("..") && has_path("a\\b") && !has_path("a..b"));
    }

    proptest! {
        #[test]
        fn every_name_is_short_and_leads_nowhere(text: String) {
            let name = file_name(&text, Kind::File);
            prop_assert!(!name.is_empty() && name.len() <= 200);
            prop_assert!(!has_path(&name) && !name.starts_with('.'));
            prop_assert!(!name.chars().any(char::is_control));
        }
    }
}
