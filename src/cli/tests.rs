//! The command line as a script sees it.

use std::fs;

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::*;
use crate::bridge::CommandError;
use crate::config::EXAMPLE;
use crate::lifecycle::Stopped;
use crate::matrix::{HomeserverError, Refusal};
use crate::store::StoreError;
use crate::store::connect::ConnectError;

const USER: &str = "3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11";

fn parse(line: &str) -> Result<Cli, ErrorKind> {
    Cli::try_parse_from(line.split(' ')).map_err(|error| error.kind())
}

fn execute(line: &str, environment: &Environment) -> (Exit, String, String) {
    let mut out = Vec::new();
    let result = parse(line).unwrap().execute(environment, &mut out);
    let out = String::from_utf8(out).unwrap();
    match result {
        Ok(exit) => (exit, out, String::new()),
        Err(error) => (Exit::of(&error), out, format!("{error:#}")),
    }
}

#[test]
fn clap_finds_no_contradiction() {
    Cli::command().debug_assert();
}

#[test]
fn the_help_names_every_command_and_exit_code() {
    insta::assert_snapshot!(Cli::command().render_help());
}

#[test]
fn no_command_is_run() {
    let cli = parse("nova-bridge").unwrap();
    assert!(cli.command.is_none() && cli.config.to_str() == Some("config.yaml"));
    let Some(Command::Run(run)) = parse("nova-bridge run --no-migrate -c other.yaml").unwrap().command else {
        unreachable!("run was asked for")
    };
    assert!(run.no_migrate && run.print_addresses_to.is_none());
}

#[test]
fn a_dead_letter_is_named_by_its_id_or_all_are() {
    for line in ["retry", "drop"] {
        assert!(parse(&format!("nova-bridge dead-letters {line} --all")).is_ok());
        assert!(parse(&format!("nova-bridge dead-letters {line} {USER}")).is_ok());
        assert_eq!(
            parse(&format!("nova-bridge dead-letters {line}")).unwrap_err(),
            ErrorKind::MissingRequiredArgument
        );
        assert_eq!(
            parse(&format!("nova-bridge dead-letters {line} {USER} --all")).unwrap_err(),
            ErrorKind::ArgumentConflict
        );
    }
}

#[test]
fn an_account_has_a_username() {
    assert!(
        parse(&format!(
            "nova-bridge accounts put {USER} --username alice --display-name Alice"
        ))
        .is_ok()
    );
    assert_eq!(
        parse(&format!("nova-bridge accounts put {USER}")).unwrap_err(),
        ErrorKind::MissingRequiredArgument
    );
    assert_eq!(
        parse("nova-bridge accounts put alice --username alice").unwrap_err(),
        ErrorKind::ValueValidation
    );
}

#[test]
fn a_wrong_configuration_has_its_own_exit_code() {
    let (exit, out, error) = execute("nova-bridge check-config -c /nowhere.yaml", &Environment::default());
    assert_eq!((exit.code(), out.as_str()), (3, ""));
    assert!(error.contains("/nowhere.yaml"), "{error}");
}

#[test]
fn generate_config_prints_the_example() {
    assert_eq!(
        execute("nova-bridge generate-config", &Environment::default()),
        (Exit::Done, EXAMPLE.to_owned(), String::new())
    );
}

#[test]
fn a_registration_is_generated_once() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    fs::write(&config, EXAMPLE).unwrap();
    let registration = folder.path().join("registration.yaml");
    let environment = [
        ("NOVA_BRIDGE__HOMESERVER__DOMAIN", "example.org"),
        (
            "NOVA_BRIDGE__APPSERVICE__REGISTRATION_FILE",
            registration.to_str().unwrap(),
        ),
    ]
    .into_iter()
    .collect();
    let line = format!("nova-bridge generate-registration -c {}", config.display());
    let (exit, out, _) = execute(&line, &environment);
    assert_eq!(exit, Exit::Done);
    insta::assert_snapshot!(out.replace(&folder.path().display().to_string(), "…"));
    let written = fs::read_to_string(&registration).unwrap();
    let (exit, _, error) = execute(&line, &environment);
    assert!(exit == Exit::Configuration && error.contains("--force"), "{error}");
    assert_eq!(execute(&format!("{line} --force"), &environment).0, Exit::Done);
    assert_ne!(fs::read_to_string(&registration).unwrap(), written);
    let (_, printed, _) = execute(&format!("{line} --output -"), &environment);
    assert!(printed.contains("example\\\\.org"), "{printed}");
}

#[test]
fn an_error_finds_its_exit_code_through_its_causes() {
    let lost = || StoreError::Inconsistent {
        table: "users",
        column: "mxid",
        row: String::new(),
    };
    let refused = |status, errcode: Option<&str>| {
        HomeserverError::from(Refusal {
            status,
            errcode: errcode.map(Into::into),
            message: Box::default(),
            json: true,
            retry_after: None,
        })
    };
    let cases: [(anyhow::Error, Exit); 8] = [
        (lost().into(), Exit::Database),
        (CommandError::Store(lost()).into(), Exit::Database),
        (ConnectError::Behind { pending: 1 }.into(), Exit::Database),
        (
            CommandError::Homeserver(refused(401, Some("M_UNKNOWN_TOKEN"))).into(),
            Exit::HomeserverRefuses,
        ),
        (refused(403, Some("M_FORBIDDEN")).into(), Exit::HomeserverRefuses),
        (refused(403, None).into(), Exit::HomeserverUnreachable),
        (refused(500, Some("M_UNKNOWN")).into(), Exit::HomeserverUnreachable),
        (CommandError::NoSuchDeadLetter.into(), Exit::Failed),
    ];
    for (error, exit) in cases {
        assert_eq!(Exit::of(&error.context("while doing something")), exit);
    }
    assert_eq!(Exit::from(Stopped::Clean), Exit::Done);
    assert_eq!(Exit::from(Stopped::Forced), Exit::Done);
    assert_eq!(Exit::from(Stopped::TaskFailed), Exit::Failed);
}
