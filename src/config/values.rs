//! How a single value is read: each function gives the value, or `None` and leaves the reason in `problems`.

use std::net::SocketAddr;

use url::Url;

use super::error::Problem;

/// The four values that an admin must change, as `config.example.yaml` has them.
pub(super) const EXAMPLES: [(&str, &str); 4] = [
    ("homeserver.url", "https://matrix.example.com"),
    ("homeserver.domain", "example.com"),
    ("database.url", "postgres://nova:password@localhost/nova"),
    ("nova.jwt_public_key_file", "/etc/nova-bridge/nova-jwt.pub.pem"),
];

/// Where the reasons are collected.
pub(super) type Problems<'a> = &'a mut Vec<Problem>;

/// A value that has to be there and must not be the example.
pub(super) fn required<'a>(key: &str, value: Option<&'a str>, cure: &str, problems: Problems<'_>) -> Option<&'a str> {
    let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else {
        problems.push(Problem::new(key, "is missing", cure));
        return None;
    };
    if EXAMPLES.contains(&(key, value)) {
        problems.push(Problem::new(key, "still has its example value", cure));
        return None;
    }
    Some(value)
}

/// `Some(None)` where there is nothing to read, `None` where it cannot be read.
#[expect(clippy::option_option, reason = "absent and unreadable are two answers")]
pub(super) fn optional<T>(value: Option<&str>, read: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    match value.map(str::trim).filter(|value| !value.is_empty()) {
        Some(text) => read(text).map(Some),
        None => Some(None),
    }
}

pub(super) fn keep<T>(result: Result<T, Problem>, problems: Problems<'_>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

pub(super) fn web_url(key: &str, text: &str, problems: Problems<'_>) -> Option<Url> {
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    if url.is_none() {
        problems.push(Problem::new(
            key,
            format!("is {text:?}, which is no web address"),
            "write it as https://host or http://host:port",
        ));
    }
    url
}

pub(super) fn listen(key: &str, text: &str, problems: Problems<'_>) -> Option<SocketAddr> {
    let address = text.trim().parse().ok();
    if address.is_none() {
        let cure = "write an IP address and a port, such as 127.0.0.1:8080 or [::]:8080";
        problems.push(Problem::new(
            key,
            format!("is {text:?}, which is no address to listen on"),
            cure,
        ));
    }
    address
}

pub(super) fn positive(key: &str, value: u64, problems: Problems<'_>) -> Option<u64> {
    if value == 0 {
        problems.push(Problem::new(
            key,
            "must not be 0",
            "set it to 1 or more, or remove the line for its default",
        ));
    }
    (value > 0).then_some(value)
}

pub(super) fn choice<T: Copy>(key: &str, text: &str, choices: &[(&str, T)], problems: Problems<'_>) -> Option<T> {
    let found = choices.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
        problems.push(Problem::new(
            key,
            format!("is {text:?}, which is not known"),
            format!("use {}", names.join(" or ")),
        ));
    }
    found
}

pub(super) fn is_origin(text: &str) -> bool {
    text == "*" || Url::parse(text).is_ok_and(|url| url.origin().ascii_serialization() == text)
}
