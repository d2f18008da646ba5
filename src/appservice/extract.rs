//! Paths and queries as axum reads them, with Matrix's error bodies where they cannot be read.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};

use super::MatrixError;

/// A part of the path.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(MatrixError))]
pub(super) struct InPath<T>(pub(super) T);

/// The query.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(MatrixError))]
pub(super) struct InQuery<T>(pub(super) T);

impl From<PathRejection> for MatrixError {
    fn from(_: PathRejection) -> Self {
        Self::bad_parameter()
    }
}

impl From<QueryRejection> for MatrixError {
    fn from(_: QueryRejection) -> Self {
        Self::bad_parameter()
    }
}
