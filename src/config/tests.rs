//! What an admin can get wrong, and that each of it is said.

use std::fs;

use secrecy::ExposeSecret;
use serde_json::Value;

use super::*;

const PEM: &str = include_str!("../cli/token/test-key.pub.pem");

/// The example with its four values changed through the environment.
fn environment() -> Environment {
    with([])
}

fn with<const N: usize>(more: [(&str, &str); N]) -> Environment {
    [
        ("NOVA_BRIDGE__HOMESERVER__URL", "http://localhost:8008"),
        ("NOVA_BRIDGE__HOMESERVER__DOMAIN", "example.org"),
        ("NOVA_BRIDGE__DATABASE__URL", "postgres://nova:hunter2@db/nova"),
        ("NOVA_BRIDGE__NOVA__JWT_PUBLIC_KEY_FILE", ""),
        ("NOVA_BRIDGE__NOVA__JWT_PUBLIC_KEY", PEM),
        ("NOVA_BRIDGE_CONFIG", "config.yaml"),
        ("PATH", "/bin"),
    ]
    .into_iter()
    .chain(more)
    .collect()
}

fn refusal(text: &str, environment: &Environment) -> String {
    parse("config.yaml", text, environment)
        .map(|_| ())
        .unwrap_err()
        .to_string()
}

#[test]
fn the_example_is_refused_and_names_its_four_values() {
    insta::assert_snapshot!(refusal(EXAMPLE, &Environment::default()));
}

#[test]
fn an_empty_file_misses_the_same_four_values() {
    insta::assert_snapshot!(refusal("", &Environment::default()));
}

#[test]
fn the_example_equals_the_defaults_apart_from_the_four() {
    let mut problems = Vec::new();
    let example = read::read(
        yaml::Yaml {
            name: "example",
            text: EXAMPLE,
        },
        Environment::default(),
        &mut problems,
    );
    assert_eq!(problems, []);
    for (key, value) in values::EXAMPLES {
        assert!(
            EXAMPLE.contains(&format!("{}: {value}\n", key.split_once('.').unwrap().1)),
            "{key}"
        );
    }
    let mut example = serde_json::to_value(example).unwrap();
    for (key, _) in values::EXAMPLES {
        let (section, key) = key.split_once('.').unwrap();
        example[section][key] = Value::Null;
    }
    assert_eq!(example, serde_json::to_value(file::File::default()).unwrap());
}

#[test]
fn the_example_shows_every_key() {
    let defaults = serde_json::to_value(file::File::default()).unwrap();
    let example: Value = serde_saphyr::from_str(EXAMPLE).unwrap();
    for (section, keys) in defaults.as_object().unwrap() {
        for key in keys.as_object().unwrap().keys() {
            assert!(
                example[section].as_object().unwrap().contains_key(key),
                "{section}.{key}"
            );
        }
    }
}

#[test]
fn the_environment_overrides_the_file() {
    let environment = with([
        ("NOVA_BRIDGE__HOMESERVER__REQUEST_TIMEOUT_SECONDS", "5"),
        ("NOVA_BRIDGE__NOVA__GREETING", "true"),
        (
            "NOVA_BRIDGE__NOVA__CORS_ORIGINS",
            "https://a.example, https://b.example",
        ),
        ("NOVA_BRIDGE__NOVA__LISTEN", "127.0.0.1:0"),
        // Digits stay a text where a text is wanted.
        ("NOVA_BRIDGE__ADMIN__TOKEN", "0123456789"),
        ("NOVA_BRIDGE__ROOMS__CREATE", "when_matrix_user_joins"),
    ]);
    let config = parse("config.yaml", EXAMPLE, &environment).unwrap();
    assert_eq!(config.homeserver.request_timeout, Duration::from_secs(5));
    assert!(config.nova.greeting);
    assert_eq!(config.nova.cors_origins, ["https://a.example", "https://b.example"]);
    assert_eq!(config.nova.listen.port(), 0);
    assert_eq!(config.admin.token.unwrap().expose_secret(), "0123456789");
    assert_eq!(config.rooms.create, CreateRooms::WhenMatrixUserJoins);
}

#[test]
fn every_problem_is_reported_at_once() {
    let text = "
homeserver:
  url: matrix.example.org
  domain: 'not a domain'
  request_timeout_seconds: soon
  pasword: x
database:
  url: mysql://nova@db/nova
  max_connections: 0
appservice: 7
nova:
  listen: localhost:8080
  jwt_public_key: hello
  cors_origins: [https://a.example/path]
  greeting: maybe
  burst: -3
rooms:
  create: sometimes
admin:
  token: 12345
logging:
  format: xml
  level: 'x=y=z'
bridge: {}
";
    let environment = [
        ("NOVA_BRIDGE__METRICS__LISTEN", "9090"),
        ("NOVA_BRIDGE__FEED__DAYS", "3"),
    ]
    .into_iter()
    .collect();
    let refusal = refusal(text, &environment);
    assert!(!refusal.contains("12345"), "{refusal}");
    insta::assert_snapshot!(refusal);
}

#[test]
fn broken_yaml_is_reported_with_its_line_and_without_its_text() {
    let refusal = refusal(
        "homeserver:\n  url: http://localhost\ndatabase:\n  url: hunter2: [\n",
        &environment(),
    );
    assert!(refusal.contains("line") && !refusal.contains("hunter2"), "{refusal}");
}

#[test]
fn a_file_that_is_not_there_leads_to_generate_config() {
    let refusal = load(Path::new("/nowhere/config.yaml"), &environment())
        .unwrap_err()
        .to_string();
    assert!(
        refusal.contains("/nowhere/config.yaml") && refusal.contains("nova-bridge generate-config"),
        "{refusal}"
    );
}

#[test]
fn secrets_come_from_files_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("db"), "postgres://nova:from-a-file@db/nova\n").unwrap();
    fs::write(path("admin"), "letmein\n").unwrap();
    fs::write(path("jwt.pem"), PEM).unwrap();
    let environment = with([
        ("NOVA_BRIDGE__DATABASE__URL", ""),
        ("NOVA_BRIDGE__DATABASE__URL_FILE", &path("db")),
        ("NOVA_BRIDGE__ADMIN__TOKEN_FILE", &path("admin")),
        ("NOVA_BRIDGE__NOVA__JWT_PUBLIC_KEY_FILE", &path("jwt.pem")),
        ("NOVA_BRIDGE__NOVA__JWT_PUBLIC_KEY", ""),
    ]);
    let config = parse("config.yaml", EXAMPLE, &environment).unwrap();
    assert_eq!(
        config.database.url.expose_secret(),
        "postgres://nova:from-a-file@db/nova"
    );
    assert_eq!(config.admin.token.as_ref().unwrap().expose_secret(), "letmein");
    assert!(matches!(&config.nova.jwt_key, JwtKey::Pem { text, file: Some(_) } if text == PEM.trim()));
    for debug in [format!("{config:?}"), config.redacted().unwrap()] {
        assert!(!debug.contains("from-a-file") && !debug.contains("letmein"), "{debug}");
    }
}

#[test]
fn a_secret_given_twice_or_a_key_given_twice_is_refused() {
    let environment = with([
        ("NOVA_BRIDGE__DATABASE__URL_FILE", "/run/secrets/db"),
        ("NOVA_BRIDGE__ADMIN__TOKEN_FILE", "/nowhere/token"),
        ("NOVA_BRIDGE__NOVA__JWKS_URL", "https://nova.example/jwks.json"),
    ]);
    insta::assert_snapshot!(refusal(EXAMPLE, &environment));
}

#[test]
fn check_config_shows_the_effective_values_without_secrets() {
    let environment = with([("NOVA_BRIDGE__ADMIN__TOKEN", "letmein")]);
    let config = parse("config.yaml", EXAMPLE, &environment).unwrap();
    insta::assert_snapshot!(config.redacted().unwrap());
}

#[test]
fn a_registration_can_be_generated_before_the_rest_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, EXAMPLE).unwrap();
    let domain = [("NOVA_BRIDGE__HOMESERVER__DOMAIN", "example.org")]
        .into_iter()
        .collect();
    let settings = load_for_registration(&path, &domain).unwrap();
    assert_eq!(
        (settings.domain.as_str(), settings.url.as_str()),
        ("example.org", "http://localhost:29340/")
    );
    let refused = load_for_registration(&path, &Environment::default()).unwrap_err();
    assert_eq!(refused.problems.len(), 1);
    assert_eq!(refused.problems[0].key, "homeserver.domain");
}

#[test]
fn links_lead_to_the_bound_address_where_no_public_url_is_set() {
    let nova = parse("config.yaml", EXAMPLE, &environment()).unwrap().nova;
    assert_eq!(
        nova.public_url("0.0.0.0:4711".parse().unwrap()).unwrap().as_str(),
        "http://127.0.0.1:4711/"
    );
    assert_eq!(
        nova.public_url("[::1]:4711".parse().unwrap()).unwrap().as_str(),
        "http://[::1]:4711/"
    );
}

#[test]
fn a_private_key_is_no_public_key() {
    let private = include_str!("../cli/token/test-key.pem");
    let refusal = refusal(EXAMPLE, &with([("NOVA_BRIDGE__NOVA__JWT_PUBLIC_KEY", private)]));
    assert!(
        refusal.contains("nova.jwt_public_key holds no RSA public key") && !refusal.contains("MII"),
        "{refusal}"
    );
}

#[test]
fn receipts_are_told_as_the_admin_says() {
    let told = |text: &str| parse("config.yaml", text, &environment()).map(|config| config.rooms.receipts);
    for (text, wanted) in [
        ("", Receipts::Public),
        ("rooms: { receipts: private }", Receipts::Private),
        ("rooms: { receipts: off }", Receipts::Off),
        ("rooms: { receipts: 'off' }", Receipts::Off),
    ] {
        assert_eq!(told(text).unwrap(), wanted, "{text}");
    }
    for text in [
        "rooms: { receipts: on }",
        "rooms: { receipts: 7 }",
        "rooms: { receipts: [] }",
    ] {
        let refusal = told(text).unwrap_err().to_string();
        assert!(refusal.contains("rooms.receipts"), "{refusal}");
    }
}

#[test]
fn what_can_be_wrong_with_calls_is_said() {
    let text = r#"
calls:
  ring_seconds: 0
  grace_seconds: 6000
  turn_uris: ["https://turn.example.org", "turn://turn.example.org"]
  turn_credential_lifetime_seconds: 5
  ice_servers:
    - { urls: ["turn:turn.example.org"], username: nova }
    - { urls: [] }
    - { urls: ["stun:"] }
  stun_uris: ["turn:turn.example.org"]
"#;
    insta::assert_snapshot!(refusal(text, &environment()));
    let secret = with([("NOVA_BRIDGE__CALLS__TURN_SHARED_SECRET", "north")]);
    assert!(refusal("", &secret).contains("calls.turn_uris is empty, but there is a secret"));
    let wrong = refusal(
        "calls: { ice_servers: [{ urls: [5], credential: hidden }] }",
        &environment(),
    );
    assert!(
        wrong.contains("calls.ice_servers") && !wrong.contains("hidden"),
        "{wrong}"
    );
}

#[test]
fn the_secrets_of_calls_are_not_shown() {
    let text = r#"
calls:
  turn_uris: ["turn:turn.example.org?transport=udp", "turns:turn.example.org:5349"]
  turn_shared_secret: north
  ice_servers: [{ urls: ["turn:fixed.example.org"], username: nova, credential: word }]
"#;
    let config = parse("config.yaml", text, &environment()).unwrap();
    assert!(config.calls.has_turn());
    let shown = config.redacted().unwrap();
    assert!(
        !shown.contains("north") && !shown.contains("credential: word"),
        "{shown}"
    );
    assert!(shown.contains("turns:turn.example.org:5349") && shown.contains("username: nova"));
}
