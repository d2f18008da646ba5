//! Logging: JSON or text, to stdout for `run` and to stderr for one-shot commands, and panics as log lines.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal};
use std::panic;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{EnvFilter, Registry, fmt, prelude::*};

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object per line.
    Json,
    /// For eyes.
    Text,
}

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// For `run`.
    Stdout,
    /// For commands whose stdout is data.
    Stderr,
}

/// Logging cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is none.
    #[error("{directives:?} is no log level; correct RUST_LOG or logging.level")]
    Level {
        /// What was given.
        directives: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// It has begun already.
    #[error("logging has been set up before")]
    Twice(#[from] TryInitError),
}

/// Begins to log. `rust_log` (the variable of that name) wins over the configured `level`.
///
/// # Errors
/// The level cannot be read, or logging has begun before.
pub fn init(level: &str, format: Format, rust_log: Option<&str>, output: Output) -> Result<(), TelemetryError> {
    let filter = filter(level, rust_log)?;
    let colour = match output {
        Output::Stdout => io::stdout().is_terminal(),
        Output::Stderr => io::stderr().is_terminal(),
    };
    let writer = match output {
        Output::Stdout => BoxMakeWriter::new(io::stdout),
        Output::Stderr => BoxMakeWriter::new(io::stderr),
    };
    subscriber(format, filter, writer, colour).try_init()?;
    log_panics();
    Ok(())
}

/// Logs of one-shot commands, before or without a configuration: text, warnings and worse.
///
/// # Errors
/// As [`init`].
pub fn init_one_shot(rust_log: Option<&str>) -> Result<(), TelemetryError> {
    init("warn", Format::Text, rust_log, Output::Stderr)
}

fn filter(level: &str, rust_log: Option<&str>) -> Result<EnvFilter, TelemetryError> {
    let directives = rust_log.map(str::trim).filter(|text| !text.is_empty()).unwrap_or(level);
    EnvFilter::try_new(directives).map_err(|source| TelemetryError::Level {
        directives: directives.to_owned(),
        source,
    })
}

fn subscriber(
    format: Format,
    filter: EnvFilter,
    writer: BoxMakeWriter,
    colour: bool,
) -> Box<dyn tracing::Subscriber + Send + Sync> {
    let registry = Registry::default().with(filter);
    match format {
        Format::Json => Box::new(
            registry.with(
                fmt::layer()
                    .json()
                    .flatten_event(true)
                    .with_current_span(false)
                    .with_writer(writer),
            ),
        ),
        Format::Text => Box::new(registry.with(fmt::layer().with_ansi(colour).with_writer(writer))),
    }
}

/// Makes a panic a line of the log, in its format, with the place where it happened.
fn log_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        let message = info.payload_as_str().unwrap_or("no message");
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(panic.place = place, panic.backtrace = backtrace, "panic: {message}");
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, rust_log: Option<&str>) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let filter = filter("info", rust_log).unwrap();
        let subscriber = subscriber(format, filter, BoxMakeWriter::new(move || writer.clone()), false);
        tracing::subscriber::with_default(subscriber, || {
            let _span = tracing::info_span!("appservice.txn", txn.id = "7").entered();
            tracing::info!(room.id = "!r:example.org", "message applied");
            tracing::debug!("a detail");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_json_line_has_message_fields_and_span() {
        let text = logged(Format::Json, None);
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!(line["message"], "message applied");
        assert_eq!(line["room.id"], "!r:example.org");
        assert_eq!(line["spans"][0]["txn.id"], "7");
    }

    #[test]
    fn rust_log_wins_over_the_level() {
        assert!(logged(Format::Text, Some("debug")).contains("a detail"));
        assert!(!logged(Format::Text, Some("")).contains("a detail"));
        assert!(logged(Format::Text, Some("error")).is_empty());
    }

    #[test]
    fn a_level_that_is_none_is_named() {
        let error = filter("info", Some("x=y=z")).unwrap_err().to_string();
        assert!(error.contains("x=y=z") && error.contains("RUST_LOG"), "{error}");
    }
}
