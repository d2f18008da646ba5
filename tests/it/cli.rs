//! The command line, as the real binary answers it: on a real database, beside the fake homeserver.

mod commands;
mod doctor;
mod installation;
mod sealing;
