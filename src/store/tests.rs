//! Tests of every SQL function, on a real Postgres.
