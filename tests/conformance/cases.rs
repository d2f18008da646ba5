//! What an appservice has to do. Each case says in its name what must hold.

mod auth;
mod duplicates;
mod ephemeral;
mod hostile;
mod limits;
mod ping;
mod queries;
mod restart;
mod routes;
mod thirdparty;
mod transactions;
