//! Where the bridge is and what may be asked of it: from `CONFORMANCE_*`, or from the file that `synapse-dev/up` wrote.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use uuid::Uuid;

/// What a case cannot do without. A case whose needs are not met is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// A bridged room, somebody in it, and a probe.
    Room,
    /// A ghost that exists.
    Ghost,
    /// A protocol for third-party lookups.
    Protocol,
    /// A user of that protocol, with the ghost.
    Username,
    /// A way to kill the bridge and start it again.
    Restart,
}

/// Everything that the suite is told.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Where the appservice listens, without a slash at the end.
    pub(crate) url: String,
    pub(crate) hs_token: String,
    pub(crate) ghost: Option<String>,
    pub(crate) unknown_ghost: Option<String>,
    pub(crate) unknown_alias: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) username: Option<String>,
    /// The protocol's field that holds the user's name; the first of its `user_fields` when absent.
    pub(crate) username_field: Option<String>,
    pub(crate) restart: Option<String>,
    pub(crate) room: RoomSource,
    /// How long a message may take from its acknowledgement to the probe.
    pub(crate) patience: Duration,
}

/// Where a bridged room comes from.
#[derive(Debug, Clone)]
pub(crate) enum RoomSource {
    /// Cases that need one are skipped.
    None,
    /// It is there already.
    Given {
        room: String,
        sender: String,
        probe: String,
    },
    /// Each case makes its own, with the help of a development copy of nova-bridge.
    Made(DevelopmentCopy),
}

/// What `synapse-dev/up` wrote about a running copy.
#[derive(Debug, Clone)]
pub(crate) struct DevelopmentCopy(BTreeMap<String, String>);

impl DevelopmentCopy {
    pub(crate) fn value(&self, key: &str) -> &str {
        self.0
            .get(key)
            .unwrap_or_else(|| panic!("the file that NOVA_DEV_ENV names has no {key}"))
    }
}

impl Settings {
    /// Reads the environment; `None` when it names no bridge.
    pub(crate) fn load() -> Option<Self> {
        if let Some(url) = variable("CONFORMANCE_URL") {
            return Some(Self::given(&url));
        }
        let path = variable("NOVA_DEV_ENV")?;
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("NOVA_DEV_ENV={path}: {error}"));
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Some(Self::development(DevelopmentCopy(
            pairs.map(|(key, value)| (key.into(), value.into())).collect(),
        )))
    }

    fn given(url: &str) -> Self {
        let ghost = variable("CONFORMANCE_GHOST");
        let sender = variable("CONFORMANCE_SENDER");
        let server = ghost
            .as_deref()
            .or(sender.as_deref())
            .and_then(server_name)
            .unwrap_or("example.org")
            .to_owned();
        let room = match (variable("CONFORMANCE_ROOM"), sender, variable("CONFORMANCE_PROBE")) {
            (Some(room), Some(sender), Some(probe)) => RoomSource::Given { room, sender, probe },
            _ => RoomSource::None,
        };
        Self {
            url: url.trim_end_matches('/').to_owned(),
            hs_token: variable("CONFORMANCE_HS_TOKEN").expect("CONFORMANCE_URL needs CONFORMANCE_HS_TOKEN beside it"),
            ghost,
            unknown_ghost: variable("CONFORMANCE_UNKNOWN_GHOST"),
            unknown_alias: variable("CONFORMANCE_UNKNOWN_ALIAS").or(Some(format!("#{}:{server}", Uuid::new_v4()))),
            protocol: variable("CONFORMANCE_PROTOCOL"),
            username: variable("CONFORMANCE_USERNAME"),
            username_field: variable("CONFORMANCE_USERNAME_FIELD"),
            restart: variable("CONFORMANCE_RESTART"),
            room,
            patience: patience(),
        }
    }

    fn development(copy: DevelopmentCopy) -> Self {
        let server = copy.value("SERVER_NAME").to_owned();
        let mut restart = concat!("'", env!("CARGO_MANIFEST_DIR"), "/synapse-dev/restart' bridge --kill").to_owned();
        if !copy.value("COPY_NAME").is_empty() {
            write!(restart, " --name {}", copy.value("COPY_NAME")).expect("a String takes everything");
        }
        Self {
            url: copy.value("APPSERVICE_URL").trim_end_matches('/').to_owned(),
            hs_token: copy.value("HS_TOKEN").to_owned(),
            ghost: Some(format!("@nova-{}:{server}", copy.value("NOVA_USER_1_ID"))),
            unknown_ghost: Some(format!("@nova-{}:{server}", Uuid::new_v4())),
            unknown_alias: Some(format!("#nova_{}:{server}", Uuid::new_v4())),
            protocol: Some("nova".to_owned()),
            username: Some(copy.value("NOVA_USER_1_NAME").to_owned()),
            username_field: None,
            restart: variable("CONFORMANCE_RESTART").or(Some(restart)),
            room: RoomSource::Made(copy),
            patience: patience(),
        }
    }

    /// The first unmet need, in words.
    pub(crate) fn missing(&self, needs: &[Need]) -> Option<&'static str> {
        needs.iter().find_map(|need| {
            let (there, words) = match need {
                Need::Room => (
                    !matches!(self.room, RoomSource::None),
                    "it needs CONFORMANCE_ROOM, CONFORMANCE_SENDER and CONFORMANCE_PROBE",
                ),
                Need::Ghost => (self.ghost.is_some(), "it needs CONFORMANCE_GHOST"),
                Need::Protocol => (self.protocol.is_some(), "it needs CONFORMANCE_PROTOCOL"),
                Need::Username => (
                    self.username.is_some() && self.ghost.is_some(),
                    "it needs CONFORMANCE_USERNAME and the CONFORMANCE_GHOST that belongs to it",
                ),
                Need::Restart => (self.restart.is_some(), "it needs CONFORMANCE_RESTART"),
            };
            (!there).then_some(words)
        })
    }

    /// A server name that the bridge knows.
    pub(crate) fn server(&self) -> &str {
        self.unknown_alias
            .as_deref()
            .and_then(server_name)
            .unwrap_or("example.org")
    }
}

/// Whether a skipped case is a failed one.
pub(crate) fn required() -> bool {
    variable("CONFORMANCE_REQUIRED").is_some_and(|value| value != "0")
}

fn patience() -> Duration {
    let seconds = variable("CONFORMANCE_WAIT_SECONDS");
    Duration::from_secs(seconds.map_or(30, |text| text.parse().expect("CONFORMANCE_WAIT_SECONDS is a number")))
}

fn server_name(id: &str) -> Option<&str> {
    id.split_once(':').map(|(_, server)| server)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the suite is configured by its environment, and here only"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
