//! Every route, through the real router and on a real Postgres. The homeserver is down throughout: no route needs it.

mod acts;
mod app;
mod auth;
mod calls;
mod conversations;
mod gateway;
mod members;
mod messages;
mod pages;
mod people;
mod pins;
mod surface;

pub(crate) use app::{ALICE, Answer, App, BOB, CAROL};
