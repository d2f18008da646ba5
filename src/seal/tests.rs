use proptest::prelude::*;

use super::{Key, KeyError, Keyring, OpenError, Place, fresh};

const HERE: Place<'_> = Place {
    what: "content",
    id: "019a9c3e-0000-7000-8000-000000000001",
};

fn key(id: &str, byte: u8) -> Key {
    Key::parse(id, &fresh([byte; 32])).unwrap()
}

fn ring(keys: impl IntoIterator<Item = (&'static str, u8)>) -> Keyring {
    Keyring::new(keys.into_iter().map(|(id, byte)| key(id, byte)).collect()).unwrap()
}

#[test]
fn what_was_stored_once_opens_for_ever() {
    // From another implementation of RFC 8452: AESGCMSIV of Python's cryptography 48.
    let stored = "\u{1}2026-11:CQkJCQkJCQkJCQkJTDmAvH4d97cKZL0tKzWx8VLw/d0IHbpNSkPLhRllagyJ";
    let ring = ring([("2026-11", 7)]);
    assert_eq!(ring.seal(HERE, [9; 12], "Grüße aus Köln").unwrap(), stored);
    assert_eq!(ring.open(HERE, stored).unwrap(), "Grüße aus Köln");
}

#[test]
fn without_a_key_text_is_stored_as_it_is() {
    let none = Keyring::default();
    assert_eq!(none.seal(HERE, [0; 12], "hello").unwrap(), "hello");
    assert_eq!(ring([("a", 1)]).open(HERE, "hello").unwrap(), "hello");
}

#[test]
fn nobody_can_write_what_looks_sealed() {
    let ring = ring([("a", 1)]);
    let sealed = ring.seal(HERE, [0; 12], "hello").unwrap();
    let none = Keyring::default();
    let stored = none.seal(HERE, [0; 12], &sealed).unwrap();
    assert_eq!(none.open(HERE, &stored).unwrap(), sealed);
    assert_eq!(
        ring.open(HERE, &stored).unwrap(),
        sealed,
        "it is text, not a sealed hello"
    );
}

#[test]
fn empty_text_stays_empty() {
    assert_eq!(ring([("a", 1)]).seal(HERE, [0; 12], "").unwrap(), "");
}

#[test]
fn an_old_key_opens_but_does_not_seal() {
    let before = ring([("old", 1)]).seal(HERE, [0; 12], "hello").unwrap();
    let ring = ring([("new", 2), ("old", 1)]);
    assert_eq!(ring.open(HERE, &before).unwrap(), "hello");
    let after = ring.seal(HERE, [0; 12], "hello").unwrap();
    assert!(after.starts_with(&ring.prefix().unwrap()));
    assert!(!before.starts_with(&ring.prefix().unwrap()));
}

#[test]
fn a_key_that_is_missing_is_named() {
    let sealed = ring([("old", 1)]).seal(HERE, [0; 12], "hello").unwrap();
    for ring in [Keyring::default(), ring([("new", 2)])] {
        assert_eq!(ring.open(HERE, &sealed), Err(OpenError::UnknownKey("old".to_owned())));
    }
    let other = ring([("old", 2)]);
    assert_eq!(other.open(HERE, &sealed), Err(OpenError::Damaged("old".to_owned())));
}

#[test]
fn keys_are_read_in_base64_and_in_hex() {
    let sealed = ring([("a", 0xAB)]).seal(HERE, [0; 12], "hello").unwrap();
    let hex = Key::parse("a", &format!(" {}\n", "aB".repeat(32))).unwrap();
    assert_eq!(Keyring::new(vec![hex]).unwrap().open(HERE, &sealed).unwrap(), "hello");
}

#[test]
fn a_bad_key_is_refused_and_never_shown() {
    let short = "c2hvcnQgc2VjcmV0";
    let refusal = Key::parse("a", short).unwrap_err();
    assert_eq!(refusal, KeyError::Text("a".to_owned()));
    assert!(!refusal.to_string().contains(short));
    for id in ["", "a:b", "ä", "a b", &"x".repeat(33)] {
        assert_eq!(Key::parse(id, &fresh([1; 32])).unwrap_err(), KeyError::Id);
    }
    let twice = Keyring::new(vec![key("a", 1), key("a", 2)]).unwrap_err();
    assert_eq!(twice, KeyError::Twice("a".to_owned()));
    assert_eq!(format!("{:?}", ring([("a", 1), ("b", 2)])), r#"["a", "b"]"#);
}

proptest! {
    #[test]
    fn what_is_sealed_opens_again(text in any::<String>(), nonce: [u8; 12], seals: bool) {
        let ring = if seals { ring([("a", 1), ("b", 2)]) } else { Keyring::default() };
        let stored = ring.seal(HERE, nonce, &text).unwrap();
        prop_assert_eq!(ring.open(HERE, &stored).unwrap(), text.clone());
        prop_assert!(!seals || text.len() < 4 || !stored.contains(&text));
    }

    #[test]
    fn what_was_changed_or_moved_does_not_open(
        text in ".+", nonce: [u8; 12], at: prop::sample::Index, other in "[a-z0-9-]{1,40}"
    ) {
        let ring = ring([("a", 1)]);
        let stored = ring.seal(HERE, nonce, &text).unwrap();
        let elsewhere = [Place { id: &other, ..HERE }, Place { what: &other, ..HERE }];
        for place in elsewhere {
            prop_assert!(ring.open(place, &stored).is_err());
        }
        let head = "\u{1}a:".len();
        let mut bytes = stored.into_bytes();
        let at = head + at.index(bytes.len() - head);
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        prop_assert!(ring.open(HERE, &changed).is_err());
    }

    #[test]
    fn nonsense_never_opens_and_never_panics(rest in ".*") {
        let stored = format!("\u{1}a:{rest}");
        prop_assert!(ring([("a", 1)]).open(HERE, &stored).is_err());
    }
}
