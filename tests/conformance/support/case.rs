//! Runs one case: skips it where its needs are not met, and keeps restarts away from everybody else.

use std::any::type_name;
use std::fs::File;
use std::io::Write as _;
use std::sync::Once;

use super::bridge::Bridge;
use super::settings::{Need, Settings, required};

const HOW_TO_RUN: &str = "The appservice conformance suite was skipped: no bridge is named.
Set CONFORMANCE_URL and CONFORMANCE_HS_TOKEN to test any appservice, or NOVA_DEV_ENV to the `env` file of a running
development copy (synapse-dev/up). tests/conformance/README.md has the rest.";

/// Runs `body` against the bridge, and then makes sure that the bridge still takes a transaction.
pub(crate) fn case<F>(needs: &[Need], body: F)
where
    F: AsyncFnOnce(&Bridge),
{
    // The case is named by the function around the closure, so that no name is written twice.
    let name = type_name::<F>()
        .replace("::{{closure}}", "")
        .replace("conformance::cases::", "");
    let Some(settings) = Settings::load() else {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| tell(HOW_TO_RUN));
        assert!(!required(), "CONFORMANCE_REQUIRED is set, and no bridge is named");
        return;
    };
    if let Some(missing) = settings.missing(needs) {
        tell(&format!("skipped {name}: {missing}"));
        assert!(
            !required(),
            "CONFORMANCE_REQUIRED is set, and the case was skipped: {missing}"
        );
        return;
    }
    let _turn = turn(&settings.url, needs.contains(&Need::Restart));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the runtime can be built");
    runtime.block_on(async {
        let bridge = Bridge::prepare(settings, needs.contains(&Need::Room)).await;
        body(&bridge).await;
        bridge.push_events(&[]).await.is_accepted();
    });
}

/// Cases run side by side, in threads or in processes; one that kills the bridge runs alone. Held until dropped.
fn turn(url: &str, alone: bool) -> File {
    let name: String = url
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let path = std::env::temp_dir().join(format!("appservice-conformance-{name}.lock"));
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .expect("the lock file can be opened");
    let locked = if alone { file.lock() } else { file.lock_shared() };
    locked.expect("the lock file can be locked");
    file
}

/// Past the test harness, which hides what a passing test prints.
fn tell(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr takes a line");
}
