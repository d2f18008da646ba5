//! The peer that the bridge is compared with: `benches/peer/node.mjs`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;
use uuid::Uuid;

use crate::line::{self, Line};
use crate::process::Process;
use crate::town::{self, HS_TOKEN};

/// The running peer.
pub(crate) struct Peer {
    #[expect(dead_code, reason = "ends the peer with the run")]
    process: Process,
    pub(crate) address: SocketAddr,
}

impl Peer {
    /// Starts it where its packages are installed.
    pub(crate) fn start(directory: &Path, database: &str) -> Self {
        fs::copy("benches/peer/node.mjs", directory.join("node.mjs")).unwrap();
        let mut command = Command::new("node");
        command
            .arg(directory.join("node.mjs"))
            .env("DATABASE_URL", database)
            .env("TOKEN", HS_TOKEN);
        command
            .stdout(Stdio::piped())
            .stderr(File::create(directory.join("peer.log")).unwrap());
        let mut process = Process::start(&mut command);
        let mut line = String::new();
        BufReader::new(process.output()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the peer says its port");
        Self {
            process,
            address: (Ipv4Addr::LOCALHOST, port).into(),
        }
    }

    pub(crate) fn rooms(&self, numbers: std::ops::Range<usize>) {
        let rooms: Vec<_> = numbers
            .map(|room| json!([town::room_id(room), Uuid::new_v4(), town::owner(room).to_string()]))
            .collect();
        let status = Line::open(self.address).call(&line::put("/rooms", HS_TOKEN, &json!(rooms).to_string()));
        assert_eq!(status, 200, "the peer takes its rooms");
    }
}
