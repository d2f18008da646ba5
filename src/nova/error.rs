//! Errors as Nova clients know them.
