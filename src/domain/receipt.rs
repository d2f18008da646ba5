//! How far somebody has read. Compared by the numbers of messages, never by time: clocks of other servers say anything.

use std::collections::BTreeMap;

use super::ids::{ConversationId, UserId};

/// Somebody has read everything up to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Read {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub user: UserId,
    /// The message's number.
    pub sequence: i64,
}

/// The newest of many receipts for each person and conversation, whatever the order in which they came.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Reads(BTreeMap<(ConversationId, UserId), i64>);

impl Reads {
    /// Takes a receipt in; an older one changes nothing.
    pub fn note(&mut self, read: Read) {
        let newest = self.0.entry((read.conversation, read.user)).or_insert(read.sequence);
        *newest = read.sequence.max(*newest);
    }

    /// One for each person and conversation.
    pub fn newest(&self) -> impl Iterator<Item = Read> {
        self.0.iter().map(|((conversation, user), sequence)| Read {
            conversation: *conversation,
            user: *user,
            sequence: *sequence,
        })
    }
}

impl FromIterator<Read> for Reads {
    fn from_iter<I: IntoIterator<Item = Read>>(reads: I) -> Self {
        let mut newest = Self::default();
        for read in reads {
            newest.note(read);
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn read((conversation, user, sequence): (u128, u128, i64)) -> Read {
        Read {
            conversation: ConversationId(Uuid::from_u128(conversation)),
            user: UserId(Uuid::from_u128(user)),
            sequence,
        }
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_count(
            receipts in prop::collection::vec((0..3_u128, 0..3_u128, 1..9_i64), 0..20),
            turn in 0..20_usize,
        ) {
            let newest: Reads = receipts.iter().copied().map(read).collect();
            let mut others = receipts.clone();
            others.rotate_left(turn.min(receipts.len()));
            others.extend(receipts);
            prop_assert_eq!(others.into_iter().map(read).collect::<Reads>(), newest);
        }

        #[test]
        fn nobody_reads_backwards(receipts in prop::collection::vec((0..2_u128, 0..2_u128, 1..9_i64), 1..20)) {
            let mut reads = Reads::default();
            let mut last: Vec<Read> = Vec::new();
            for receipt in receipts {
                reads.note(read(receipt));
                let now: Vec<Read> = reads.newest().collect();
                for before in last {
                    prop_assert!(now.iter().any(|it| it.user == before.user
                        && it.conversation == before.conversation && it.sequence >= before.sequence));
                }
                last = now;
            }
        }
    }
}
