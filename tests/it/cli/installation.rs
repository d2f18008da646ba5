//! What an admin has on disk, and the real binary on top of it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use nova_bridge::appservice::registration;
use ruma::ServerName;
use sqlx::{ConnectOptions, PgPool};
use tempfile::TempDir;
use url::Url;

use crate::support::address::free_address;
use crate::support::homeserver::{FakeHomeserver, Options};

/// The public key of the bridge's configuration; `src/cli/token/test-key.pem` is its private one.
pub(crate) const PUBLIC_KEY: &str = include_str!("../../../src/cli/token/test-key.pub.pem");

/// What the binary said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// A folder with configuration, key and registration.
pub(crate) struct Installation {
    folder: TempDir,
    environment: Vec<(String, String)>,
    /// What differs from run to run, and what a snapshot shows instead.
    hidden: Vec<(String, &'static str)>,
    /// Where the appservice listens.
    pub(crate) listen: SocketAddr,
}

impl Installation {
    /// An installation for `example.org` that works as soon as a homeserver is there.
    pub(crate) fn new(database: &PgPool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listen = free_address();
        let mut new = Self {
            environment: Vec::new(),
            hidden: vec![
                (folder.path().display().to_string(), "(folder)"),
                (listen.to_string(), "(listen)"),
            ],
            folder,
            listen,
        };
        new.write("config.yaml", "");
        new.write("key.pem", PUBLIC_KEY);
        let options = database.connect_options();
        new.hidden
            .push((nova_bridge::store::connect::place_of(database), "(database)"));
        new.set("database.url", options.to_url_lossy().as_str());
        new.set("homeserver.url", "http://127.0.0.1:1");
        new.set("homeserver.domain", "example.org");
        new.set("appservice.listen", &listen.to_string());
        new.set("appservice.url", &format!("http://{listen}"));
        new.set(
            "appservice.registration_file",
            new.path("registration.yaml").to_str().unwrap(),
        );
        new.set("nova.jwt_public_key_file", new.path("key.pem").to_str().unwrap());
        new.register("example.org");
        new
    }

    /// A folder with nothing in it, and no environment.
    pub(crate) fn plain() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            environment: Vec::new(),
            hidden: vec![(folder.path().display().to_string(), "(folder)")],
            folder,
            listen: free_address(),
        }
    }

    /// An installation whose homeserver runs, pushes to it, and may differ from it.
    pub(crate) async fn with_homeserver(database: &PgPool, options: Options) -> (Self, FakeHomeserver) {
        let mut new = Self::new(database);
        let homeserver = FakeHomeserver::with(options).await;
        homeserver.set_appservice_url(&Url::parse(&format!("http://{}", new.listen)).unwrap());
        new.set("homeserver.url", homeserver.url().as_str());
        let shown = homeserver.url().as_str().trim_end_matches('/').to_owned();
        new.hidden.push((shown, "(homeserver)"));
        (new, homeserver)
    }

    /// Writes the registration that [`Options::default`] knows, for the ghosts of `domain`.
    pub(crate) fn register(&self, domain: &str) {
        let domain = <&ServerName>::try_from(domain).unwrap();
        let url = Url::parse(&format!("http://{}", self.listen)).unwrap();
        let text = registration::generate(domain, &url, &mut rand::rng());
        let lines = text.lines().map(|line| match line.split_once(": ") {
            Some(("as_token", _)) => "as_token: as-token\n".to_owned(),
            Some(("hs_token", _)) => "hs_token: hs-token\n".to_owned(),
            _ => format!("{line}\n"),
        });
        self.write("registration.yaml", &lines.collect::<String>());
    }

    /// Changes a value of the configuration.
    pub(crate) fn set(&mut self, key: &str, value: &str) {
        let variable = format!("NOVA_BRIDGE__{}", key.replace('.', "__").to_uppercase());
        self.environment.retain(|(name, _)| *name != variable);
        self.environment.push((variable, value.to_owned()));
    }

    /// Leaves a value to the file again.
    pub(crate) fn unset(&mut self, key: &str) {
        let variable = format!("NOVA_BRIDGE__{}", key.replace('.', "__").to_uppercase());
        self.environment.retain(|(name, _)| *name != variable);
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).unwrap();
    }

    /// Runs `nova-bridge` with these words, in the folder, and waits for its end.
    pub(crate) async fn run(&self, words: &[&str]) -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nova-bridge"));
        command
            .args(words)
            .env_clear()
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder.path());
        // Elsewhere, because the fake homeserver has to answer meanwhile.
        let output = tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap();
        Answer {
            code: output.status.code().unwrap(),
            out: self.hide(&output.stdout),
            err: self.hide(&output.stderr),
        }
    }

    fn hide(&self, output: &[u8]) -> String {
        let text = String::from_utf8(output.to_vec()).unwrap();
        self.hidden
            .iter()
            .fold(text, |text, (value, shown)| text.replace(value, shown))
    }
}
