//! What was delivered, compared with what was sent, in words that help to find the fault.

use std::collections::BTreeMap;

use serde_json::Value;

use super::bridge::id_of;

/// How `found` differs from the ids of `wanted`; `None` when it does not.
pub(crate) fn difference(wanted: &[Value], found: &[String]) -> Option<String> {
    let ids: Vec<&str> = wanted.iter().map(id_of).collect();
    if ids == found {
        return None;
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for id in found {
        *counts.entry(id).or_default() += 1;
    }
    let lost = labels(wanted, |event| !counts.contains_key(id_of(event)));
    let doubled = labels(wanted, |event| counts.get(id_of(event)).is_some_and(|count| *count > 1));
    let surplus = found.iter().filter(|id| !ids.contains(&id.as_str())).count();
    let misplaced = wanted.iter().zip(found).find(|(event, id)| id_of(event) != *id);
    let misplaced = misplaced.map(|(event, _)| label(event));
    Some(format!(
        "{} messages were sent and {} delivered; lost: {lost:?}; more than once: {doubled:?}; \
         not expected: {surplus}; the first one that is not in its place: {misplaced:?}",
        wanted.len(),
        found.len(),
    ))
}

/// The first few that fit.
fn labels(events: &[Value], fits: impl Fn(&Value) -> bool) -> Vec<String> {
    events.iter().filter(|event| fits(event)).take(5).map(label).collect()
}

fn label(event: &Value) -> String {
    event["content"]["body"]
        .as_str()
        .unwrap_or("(no body)")
        .chars()
        .take(60)
        .collect()
}
