//! Calls in five frames on a plain WebSocket, for clients of Zajel (`call-dialects.md` §2): `call_offer`, `call_answer`,
//! `call_reject`, `call_hangup`, `call_ice`.
//!
//! `wire` reads them and `words` writes them, both without any memory; `acts` says what one of them is in a call as it
//! stands. A `Line` is one socket's memory of its calls. Two kinds of sockets hold one: Nova's own, once they speak the
//! dialect, and those of `/zajel/{token}` ([`zajel`]), whose clients know people by codes of six characters.

mod acts;
mod contacts;
mod faults;
mod line;
#[cfg(test)]
mod tests;
pub(in crate::nova) mod wire;
mod words;
pub mod zajel;

pub(in crate::nova) use contacts::routes;
pub(in crate::nova) use line::{Line, Naming};
pub(in crate::nova) use wire::Kind;
