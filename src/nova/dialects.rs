//! Other protocols for calls than Nova's own. They decide nothing: each one translates between its words and the use
//! cases of [`crate::bridge`].

pub mod call_frames;
pub mod socket_io;
