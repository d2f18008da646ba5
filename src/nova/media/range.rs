//! Parts of files: what a `Range` asks for, and how a part is cut out of a stream (RFC 9110 §14).

use bytes::Bytes;

use crate::bridge::media::Span;

/// Reads `bytes=5-9`, `bytes=5-`. `None` for everything else, which is answered with the whole file: several spans at once,
/// and the last so many bytes, for which the size would have to be known before.
pub(super) fn asked(header: &str) -> Option<Asked> {
    let (unit, span) = header.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = span.trim().split_once('-')?;
    if first.is_empty() {
        return Some(Asked::Last(last.parse().ok()?));
    }
    let first = first.parse().ok()?;
    let last = match last {
        "" => None,
        last => Some(last.parse().ok()?),
    };
    if last.is_some_and(|last| last < first) {
        return None;
    }
    Some(Asked::Span(Span { first, last }))
}

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// From one byte to another.
    Span(Span),
    /// So many at the end.
    Last(u64),
}

impl Asked {
    /// What it means for a file of this size: the first and the last byte. `None` where the file has no such part.
    pub(super) fn within(self, size: u64) -> Option<(u64, u64)> {
        let end = size.checked_sub(1)?;
        match self {
            Self::Span(Span { first, last }) => (first <= end).then(|| (first, last.unwrap_or(end).min(end))),
            Self::Last(0) => None,
            Self::Last(count) => Some((size.saturating_sub(count), end)),
        }
    }
}

/// Cuts a part out of bytes that come one after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    skip: u64,
    left: u64,
}

impl Cut {
    pub(super) const fn new(first: u64, last: u64) -> Self {
        Self {
            skip: first,
            left: last.saturating_sub(first).saturating_add(1),
        }
    }

    /// Whether all of the part has come.
    pub(super) const fn is_done(&self) -> bool {
        self.left == 0
    }

    /// What of these bytes belongs to the part.
    pub(super) fn of(&mut self, mut bytes: Bytes) -> Bytes {
        let length = |count: u64, most: usize| usize::try_from(count).unwrap_or(most).min(most);
        let skipped = length(self.skip, bytes.len());
        drop(bytes.split_to(skipped));
        bytes.truncate(length(self.left, bytes.len()));
        self.skip = self.skip.saturating_sub(u64::try_from(skipped).unwrap_or_default());
        self.left = self.left.saturating_sub(u64::try_from(bytes.len()).unwrap_or_default());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spans_are_read() {
        let span = |first, last| Some(Asked::Span(Span { first, last }));
        assert_eq!(asked("bytes=5-9"), span(5, Some(9)));
        assert_eq!(asked("Bytes = 5-"), span(5, None));
        assert_eq!(asked("bytes=-3"), Some(Asked::Last(3)));
        for other in [
            "",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=9-5",
            "bytes=0-1,3-4",
            "lines=1-2",
            "bytes=x-",
            "bytes=--1",
        ] {
            assert_eq!(asked(other), None, "{other}");
        }
        assert_eq!(asked("bytes=5-9").unwrap().within(100), Some((5, 9)));
        assert_eq!(asked("bytes=5-900").unwrap().within(100), Some((5, 99)));
        assert_eq!(asked("bytes=100-").unwrap().within(100), None);
        assert_eq!(asked("bytes=-30").unwrap().within(100), Some((70, 99)));
        assert_eq!(asked("bytes=-300").unwrap().within(100), Some((0, 99)));
        assert_eq!(asked("bytes=-0").unwrap().within(100), None);
        assert_eq!(asked("bytes=0-").unwrap().within(0), None);
    }

    proptest! {
        #[test]
        fn a_cut_is_the_part(size in 1_usize..200, first in 0_usize..200, count in 1_usize..200, step in 1_usize..50) {
            let all: Vec<u8> = (0..size).map(|at| u8::try_from(at).unwrap()).collect();
            let first = first.min(size - 1);
            let last = (first + count - 1).min(size - 1);
            let mut cut = Cut::new(first.try_into().unwrap(), last.try_into().unwrap());
            let parts = all.chunks(step).flat_map(|bytes| cut.of(Bytes::copy_from_slice(bytes)));
            let parts: Vec<u8> = parts.collect();
            prop_assert_eq!(&parts, &all[first..=last]);
            prop_assert!(cut.is_done());
        }
    }
}
