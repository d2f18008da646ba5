//! News of calls as frames (nova-api §5).

use serde_json::Value;

use crate::domain::call::News;
use crate::domain::feed::FeedEntry;
use crate::domain::ids::CallId;

/// The frames of one piece of news, in order.
pub(super) fn frames(_entry: &FeedEntry, _call: CallId, _news: &News) -> Vec<Value> {
    Vec::new()
}
