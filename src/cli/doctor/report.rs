//! What the walk found, as text and as exit code.

use std::io::{self, Write};

use super::{Failure, Leg};
use crate::cli::Exit;

/// What became of each leg, in order.
#[derive(Debug, Default)]
pub struct Report(Vec<(Leg, Step)>);

#[derive(Debug)]
pub(super) enum Step {
    /// It went well; this was found.
    Well(String),
    /// It is broken.
    Broken(Failure),
    /// The bridge works without it, but not everywhere.
    Wanting(Failure),
    /// It was not tried, because another leg it needs did not go well.
    Skipped(Leg),
}

impl Report {
    pub(super) fn add(&mut self, leg: Leg, step: Step) {
        self.0.push((leg, step));
    }

    pub(super) fn went_well(&self, leg: Leg) -> bool {
        self.0
            .iter()
            .any(|(tried, step)| *tried == leg && matches!(step, Step::Well(_)))
    }

    /// The first leg that is broken: what to mend first.
    #[must_use]
    pub fn first_failure(&self) -> Option<(Leg, &Failure)> {
        self.0.iter().find_map(|(leg, step)| match step {
            Step::Broken(failure) => Some((*leg, failure)),
            Step::Well(_) | Step::Wanting(_) | Step::Skipped(_) => None,
        })
    }

    /// The exit code of the first leg that is broken.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.first_failure().map_or(Exit::Done, |(_, failure)| failure.exit())
    }

    /// Writes the report for people.
    ///
    /// # Errors
    /// `out` does not take it.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        for (leg, step) in &self.0 {
            let name = leg.name();
            match step {
                Step::Well(found) => writeln!(out, "✓ {name:<14} {found}")?,
                Step::Skipped(need) => writeln!(out, "- {name:<14} not tried: {} has to work first", need.name())?,
                Step::Wanting(failure) | Step::Broken(failure) => {
                    let mark = if failure.is_advice() { '!' } else { '✗' };
                    writeln!(out, "{mark} {name:<14} {}", indented(&failure.to_string()))?;
                    writeln!(out, "  {:<14} → {}", "", indented(&failure.cure()))?;
                }
            }
        }
        let wants = self.0.iter().any(|(_, step)| matches!(step, Step::Wanting(_)));
        match self.first_failure() {
            Some((leg, _)) => writeln!(out, "\nMend this first: {}.", leg.name()),
            None if wants => writeln!(out, "\nEverything works, apart from what is marked with !."),
            None => writeln!(out, "\nEverything works."),
        }
    }
}

fn indented(text: &str) -> String {
    text.replace('\n', &format!("\n{:17}", ""))
}
