//! The bridge: the real binary, with a configuration, a database and keys of its own.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use nova_bridge::domain::ghost::Ghosts;
use serde_json::json;
use uuid::Uuid;

use crate::homeserver::Homeserver;
use crate::line::{self, Line};
use crate::process::{self, Process};
use crate::town::{self, DOMAIN, HS_TOKEN};

const ADMIN_TOKEN: &str = "benchmark-admin-token";

/// A running bridge.
pub(crate) struct BridgeProcess {
    pub(crate) process: Process,
    pub(crate) appservice: SocketAddr,
    pub(crate) nova: SocketAddr,
    admin: SocketAddr,
    directory: PathBuf,
    key: EncodingKey,
}

impl BridgeProcess {
    /// Starts it in `directory`, where the key pair is made if there is none.
    pub(crate) fn start(directory: &Path, database: &str, homeserver: &Homeserver) -> Self {
        fs::create_dir_all(directory).unwrap();
        make_keys(directory);
        let config = json!({
            "homeserver": { "url": format!("http://{}", homeserver.address), "domain": DOMAIN },
            "database": { "url": database },
            "appservice": {
                "listen": "127.0.0.1:0", "url": "http://localhost:1", "registration_file": directory.join("registration.yaml"),
            },
            "nova": {
                "listen": "127.0.0.1:0", "jwt_public_key_file": directory.join("public.pem"),
                // The limit is not what is measured.
                "messages_per_second": 1_000_000, "burst": 1_000_000,
            },
            "admin": { "listen": "127.0.0.1:0", "token": ADMIN_TOKEN },
            "metrics": { "listen": "127.0.0.1:0" },
        });
        let registration = json!({
            "id": "nova", "url": "http://localhost:1", "as_token": "benchmark-as-token", "hs_token": HS_TOKEN,
            "sender_localpart": "_nova_bridge", "rate_limited": false, "receive_ephemeral": true,
            "namespaces": {
                "users": [{ "exclusive": true, "regex": Ghosts::new(DOMAIN.try_into().unwrap()).namespace_regex() }],
                "aliases": [], "rooms": [],
            },
        });
        // JSON is YAML.
        fs::write(directory.join("config.yaml"), config.to_string()).unwrap();
        fs::write(directory.join("registration.yaml"), registration.to_string()).unwrap();
        let key = EncodingKey::from_rsa_pem(&fs::read(directory.join("private.pem")).unwrap()).unwrap();
        let (process, address) = launch(directory);
        Self {
            process,
            appservice: address("APPSERVICE_ADDR"),
            nova: address("NOVA_ADDR"),
            admin: address("ADMIN_ADDR"),
            directory: directory.to_owned(),
            key,
        }
    }

    /// Stops it, and starts it again on the same database.
    pub(crate) fn restart(&mut self) {
        self.process.stop();
        let (process, address) = launch(&self.directory);
        self.process = process;
        (self.appservice, self.nova, self.admin) =
            (address("APPSERVICE_ADDR"), address("NOVA_ADDR"), address("ADMIN_ADDR"));
    }

    /// Makes accounts, or has them already.
    pub(crate) fn accounts(&self, numbers: std::ops::Range<usize>) {
        let mut line = Line::open(self.admin);
        for number in numbers {
            let path = format!("/admin/v1/accounts/{}", town::user(number));
            let profile = json!({ "username": format!("user{number}"), "display_name": format!("User {number}") });
            let status = line.call(&line::put(&path, ADMIN_TOKEN, &profile.to_string()));
            assert!((200..300).contains(&status), "an account is made: {status}");
        }
    }

    /// Where the socket of a user is, with their token.
    pub(crate) fn socket(&self, number: usize) -> String {
        format!("/ws?token={}", self.token(number))
    }

    /// A token of a user that Nova could have signed.
    #[expect(clippy::disallowed_methods, reason = "Nova has its own clock")]
    pub(crate) fn token(&self, number: usize) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "sub": town::user(number), "iat": now, "exp": now + 36_000, "token_type": "access",
            "username": format!("user{number}"), "email": "user@bench.example", "jti": Uuid::new_v4(),
        });
        encode(&Header::new(Algorithm::RS256), &claims, &self.key).unwrap()
    }

    /// A conversation of a user, of which there may be more.
    pub(crate) async fn conversation(&self, number: usize) -> String {
        let token = self.token(number);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client
            .get(format!("http://{}/conversations", self.nova))
            .bearer_auth(token);
        let list: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        list["conversations"][0]["id"]
            .as_str()
            .expect("the user has a conversation")
            .to_owned()
    }
}

fn launch(directory: &Path) -> (Process, impl Fn(&str) -> SocketAddr + use<>) {
    let (addresses, log) = (directory.join("addresses"), directory.join("bridge.log"));
    drop(fs::remove_file(&addresses));
    let mut command = Command::new(env!("CARGO_BIN_EXE_nova-bridge"));
    command
        .arg("-c")
        .arg(directory.join("config.yaml"))
        .arg("run")
        .arg("--print-addresses-to")
        .arg(&addresses);
    let output = File::create(&log).unwrap();
    command
        .stderr(output.try_clone().unwrap())
        .stdout(output)
        .env_remove("RUST_LOG");
    let mut process = Process::start(&mut command);
    let address = process::addresses(&mut process, &addresses, &log);
    (process, address)
}

fn make_keys(directory: &Path) {
    let (private, public) = (directory.join("private.pem"), directory.join("public.pem"));
    if public.exists() {
        return;
    }
    let openssl = |command: &mut Command| assert!(command.status().expect("openssl is there").success());
    openssl(
        Command::new("openssl")
            .args(["genrsa", "-traditional", "-out"])
            .arg(&private)
            .arg("2048"),
    );
    openssl(
        Command::new("openssl")
            .args(["rsa", "-pubout", "-in"])
            .arg(&private)
            .arg("-out")
            .arg(&public),
    );
}
