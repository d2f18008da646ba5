//! What kinds of jobs are counted apart.

use crate::domain::job::{Job, StoredJob};
use crate::metrics::SendKind;

/// Under which kind a job is counted.
pub(super) fn of(job: &StoredJob) -> SendKind {
    match &job.job {
        Job::Edit { .. } | Job::React { .. } | Job::Redact { .. } => SendKind::Act,
        Job::SendEvent { .. } | Job::SendMedia => SendKind::Message,
        Job::Signal { .. } => SendKind::Call,
        Job::CreateRoom => SendKind::Room,
        Job::Join { .. } | Job::Invite { .. } | Job::Leave { .. } | Job::Kick { .. } => SendKind::Membership,
        Job::Pin { .. }
        | Job::SetPower { .. }
        | Job::SetState { .. }
        | Job::SyncRoom { .. }
        | Job::SyncSpace
        | Job::ReadBack { .. } => SendKind::State,
        Job::ProvisionGhost | Job::DeactivateGhost => SendKind::Profile,
        Job::BotJoin { .. } | Job::BotLeave { .. } | Job::Command { .. } => SendKind::Bot,
    }
}
