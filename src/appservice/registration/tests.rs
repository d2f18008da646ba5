//! The sample, the generated file, and what can be wrong with one that is read.

use rand::SeedableRng;
use rand::rngs::StdRng;
use ruma::api::appservice::Registration as Spec;
use ruma::{ServerName, server_name};

use super::*;

const SAMPLE: &str = include_str!("../../../registration.yaml");

fn domain() -> &'static ServerName {
    server_name!("example.com")
}

fn url() -> Url {
    Url::parse("http://localhost:29340").unwrap()
}

fn generated(seed: u64) -> String {
    generate(domain(), &url(), &mut StdRng::seed_from_u64(seed))
}

fn parsed(text: &str) -> Result<Registration, RegistrationError> {
    Registration::parse(Path::new("registration.yaml"), text)
}

#[test]
fn the_sample_is_what_is_generated_but_for_the_tokens() {
    assert_eq!(
        SAMPLE,
        render(domain(), &url(), "CHANGE_ME_as_token", "CHANGE_ME_hs_token")
    );
}

#[test]
fn ruma_reads_the_sample_as_we_mean_it() {
    let sample: Spec = serde_saphyr::from_str(SAMPLE).unwrap();
    insta::assert_json_snapshot!(sample);
    let generated: Spec = serde_saphyr::from_str(&generated(1)).unwrap();
    let shape = |spec: &Spec| {
        let mut value = serde_json::to_value(spec).unwrap();
        value["as_token"] = "…".into();
        value["hs_token"] = "…".into();
        value
    };
    assert_eq!(shape(&sample), shape(&generated));
}

#[test]
fn every_text_is_quoted_so_that_yaml_1_1_reads_a_text() {
    let text = render(domain(), &url(), "no", "1e5");
    assert!(
        text.contains("as_token: \"no\"\n") && text.contains("hs_token: \"1e5\"\n"),
        "{text}"
    );
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let value = line.split_once(": ").map_or("", |(_, value)| value);
        let fine = ["", "true", "false", "[]"].contains(&value) || value.starts_with('"') || value.starts_with("[\"");
        assert!(fine, "{line}");
    }
    let extra: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(extra["de.sorunome.msc2409.push_ephemeral"], true);
    assert_eq!(extra.get("io.element.msc4190"), None);
}

#[test]
fn tokens_are_long_and_never_the_same() {
    let (one, other) = (parsed(&generated(1)).unwrap(), parsed(&generated(2)).unwrap());
    let tokens = [&one.as_token, &one.hs_token, &other.as_token, &other.hs_token].map(ExposeSecret::expose_secret);
    assert!(tokens.iter().all(|token| token.len() == 64));
    assert_eq!(std::collections::HashSet::from(tokens).len(), 4);
    assert!(!format!("{one:?}").contains(tokens[0]));
}

#[test]
fn a_written_file_belongs_to_its_owner_alone_and_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registration.yaml");
    write(&path, &generated(1), false).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert!(matches!(
        write(&path, &generated(2), false),
        Err(RegistrationError::Exists { .. })
    ));
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    write(&path, &generated(3), true).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_to_string(&path).unwrap(), generated(3));
    assert_eq!(Registration::read(&path).unwrap().id, "nova");
}

#[test]
fn what_cannot_be_used_says_what_to_do() {
    let missing = Registration::read(Path::new("/nowhere/registration.yaml"))
        .unwrap_err()
        .to_string();
    assert!(missing.contains("nova-bridge generate-registration"), "{missing}");
    let sample = parsed(SAMPLE).unwrap_err().to_string();
    assert!(sample.contains("as_token") && sample.contains("--force"), "{sample}");
    let broken = parsed("id: nova\nas_token: [hunter2\n").unwrap_err().to_string();
    assert!(broken.contains("line") && !broken.contains("hunter2"), "{broken}");
}

#[test]
fn a_registration_of_another_server_is_told_apart() {
    let registration = parsed(&generated(1)).unwrap();
    assert_eq!(registration.differences(domain(), &url()), [""; 0]);
    let other = Url::parse("http://bridge:29340").unwrap();
    insta::assert_debug_snapshot!(registration.differences(server_name!("other.org"), &other));
}
