//! The development copy that the suite runs against, as its `env` file describes it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const HOW: &str = "start a copy with `synapse-dev/up --detach --debug --name test` and set \
    NOVA_DEV_ENV=$PWD/synapse-dev/state/copies/test/env, or let `./test synapse crash` do it";

/// The `KEY=VALUE` lines of the file that `NOVA_DEV_ENV` names.
pub(crate) struct Env {
    values: HashMap<String, String>,
}

impl Env {
    /// The running copy. Without one the suite is skipped, and says so; where it is required, it fails.
    pub(crate) fn load() -> Option<&'static Self> {
        static ENV: OnceLock<Option<Env>> = OnceLock::new();
        ENV.get_or_init(Self::read).as_ref()
    }

    fn read() -> Option<Self> {
        let Some(path) = variable("NOVA_DEV_ENV") else {
            let required = variable("CI").or_else(|| variable("NOVA_E2E_REQUIRED"));
            assert!(required.is_none(), "NOVA_DEV_ENV is not set: {HOW}");
            eprintln!("SKIPPED: no Synapse to test against; {HOW}");
            return None;
        };
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}; {HOW}"));
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let values = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        Some(Self { values })
    }

    pub(crate) fn get(&self, key: &str) -> &str {
        self.values
            .get(key)
            .unwrap_or_else(|| panic!("the env file has no {key}"))
    }

    /// A file of the copy.
    pub(crate) fn file(name: &str) -> PathBuf {
        let env = PathBuf::from(variable("NOVA_DEV_ENV").expect("a copy runs"));
        env.with_file_name(name)
    }

    /// `synapse-dev/restart PART OPTIONS…` on this copy; returns when the part is healthy again.
    pub(crate) async fn restart(&self, part: &str, options: &[&str]) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("synapse-dev/restart");
        let mut command = Command::new(script);
        command.arg(part).args(options);
        if !self.get("COPY_NAME").is_empty() {
            command.args(["--name", self.get("COPY_NAME")]);
        }
        let output = tokio::task::spawn_blocking(move || command.output())
            .await
            .unwrap()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "restart {part} {options:?}: {said}");
    }
}

/// A variable of the environment, if it is there and says something.
#[expect(clippy::disallowed_methods, reason = "tests are configured by their environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
