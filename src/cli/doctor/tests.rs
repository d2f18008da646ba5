//! The walk, with legs that break on demand.

use std::cell::RefCell;

use futures_util::FutureExt;
use ruma::{owned_server_name, owned_user_id};
use url::Url;

use super::*;
use crate::cli::Exit;
use crate::config::{self, Environment};
use crate::store::connect::ConnectError;

fn report(break_leg: impl Fn(Leg) -> Option<Failure>) -> (Report, String, Vec<Leg>) {
    let tried = RefCell::new(Vec::new());
    let report = walk(async |leg| {
        tried.borrow_mut().push(leg);
        break_leg(leg).map_or_else(|| Ok(format!("{} is fine", leg.name())), Err)
    })
    .now_or_never()
    .unwrap();
    let mut out = Vec::new();
    report.write(&mut out).unwrap();
    (report, String::from_utf8(out).unwrap(), tried.into_inner())
}

fn of_answer(leg: Leg, status: Option<u16>, errcode: &str, text: &str) -> Failure {
    let url = Url::parse("http://localhost:8008").unwrap();
    let ghost = owned_user_id!("@nova-3f2b8c1e-9d47-4a06-b1c5-7e0a9f6d2c11:example.org");
    Failure::of_answer(
        leg,
        &url,
        &ghost,
        Answer {
            status,
            errcode: Some(errcode).filter(|code| !code.is_empty()),
            text,
        },
    )
}

#[test]
fn all_is_well() {
    let (report, text, tried) = report(|_| None);
    assert_eq!((report.exit(), tried), (Exit::Done, Leg::ALL.to_vec()));
    insta::assert_snapshot!(text);
}

#[test]
fn a_wrong_configuration_leaves_nothing_to_try() {
    let broken = |leg| {
        (leg == Leg::Configuration).then(|| {
            config::parse("config.yaml", config::EXAMPLE, &Environment::default())
                .unwrap_err()
                .into()
        })
    };
    let (report, text, tried) = report(broken);
    assert_eq!((report.exit(), tried), (Exit::Configuration, vec![Leg::Configuration]));
    insta::assert_snapshot!(text);
}

#[test]
fn the_database_does_not_hide_the_homeserver() {
    let broken = |leg| {
        let refused = || "connection refused".to_owned();
        let database = (leg == Leg::Database).then(|| {
            Failure::Database(ConnectError::Unreachable {
                place: "localhost:5432/nova".to_owned(),
                reason: refused(),
            })
        });
        database.or_else(|| (leg == Leg::Homeserver).then(|| of_answer(leg, None, "", &refused())))
    };
    let (report, text, tried) = report(broken);
    assert_eq!(report.exit(), Exit::Database);
    assert!(!tried.contains(&Leg::Migrations) && !tried.contains(&Leg::Token));
    insta::assert_snapshot!(text);
}

#[test]
fn the_namespace_does_not_hide_the_ping() {
    let broken = |leg: Leg| {
        let answer = match leg.name() {
            "namespace" => (403, "M_FORBIDDEN", "cannot masquerade"),
            "ping" => (502, "M_BAD_STATUS", "HTTP 401 Unauthorized"),
            _ => return None,
        };
        Some(of_answer(leg, Some(answer.0), answer.1, answer.2))
    };
    let (report, text, _) = report(broken);
    assert_eq!(report.exit(), Exit::HomeserverRefuses);
    insta::assert_snapshot!(text);
}

#[test]
fn a_wrong_domain_hides_the_namespace_and_not_the_ping() {
    let broken = |leg: Leg| {
        (leg == Leg::Domain).then(|| Failure::DomainDiffers {
            actual: owned_server_name!("example.org"),
            configured: owned_server_name!("example.net"),
        })
    };
    let (report, text, tried) = report(broken);
    assert_eq!(report.exit(), Exit::HomeserverRefuses);
    assert!(!tried.contains(&Leg::Namespace) && tried.contains(&Leg::Ping));
    insta::assert_snapshot!(text);
}

#[test]
fn every_answer_of_the_homeserver_leads_to_a_kind_and_an_exit_code() {
    let cases = [
        (Leg::Homeserver, None, "", "dns error"),
        (Leg::Homeserver, Some(404), "", "not found"),
        (Leg::Token, Some(401), "M_UNKNOWN_TOKEN", "unknown token"),
        (Leg::Token, Some(500), "M_UNKNOWN", "internal server error"),
        (Leg::Namespace, Some(403), "M_FORBIDDEN", "cannot masquerade"),
        (Leg::Namespace, Some(400), "M_EXCLUSIVE", "reserved by another"),
        (Leg::Ping, Some(400), "M_URL_NOT_SET", "no url"),
        (Leg::Ping, Some(403), "M_FORBIDDEN", "mismatching id"),
        (Leg::Ping, Some(502), "M_CONNECTION_FAILED", "ConnectionRefusedError"),
        (Leg::Ping, Some(504), "M_CONNECTION_TIMEOUT", "timed out"),
        (Leg::Ping, Some(502), "M_BAD_STATUS", "HTTP 403"),
        (Leg::Ping, Some(404), "M_UNRECOGNIZED", "unrecognized"),
        (Leg::Ping, None, "", "connection reset"),
    ];
    let lines: Vec<_> = cases
        .into_iter()
        .map(|(leg, status, errcode, text)| {
            let failure = of_answer(leg, status, errcode, text);
            format!("{} {failure}\n    → {}", failure.exit().code(), failure.cure())
        })
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn a_leg_needs_only_legs_before_it() {
    for (index, leg) in Leg::ALL.into_iter().enumerate() {
        assert!(
            leg.needs().iter().all(|need| Leg::ALL[..index].contains(need)),
            "{leg:?}"
        );
    }
}

#[test]
fn a_ghost_that_is_not_registered_is_covered_all_the_same() {
    let answer = |text| Answer {
        status: Some(403),
        errcode: Some("M_FORBIDDEN"),
        text,
    };
    assert!(answer("Application service has not registered this user (@nova-…)").proves_namespace());
    assert!(!answer("Application service cannot masquerade as this user (@nova-…).").proves_namespace());
}
