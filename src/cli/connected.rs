//! The bridge's use cases beside the process that runs: what they leave in the database, that process finds.

use crate::app::connect;
use crate::appservice::registration::Registration;
use crate::bridge::Bridge;
use crate::config::Config;
use crate::matrix::unobserved;
use crate::metrics;

/// The use cases, with nobody who counts.
///
/// # Errors
/// The registration or the database cannot be used.
pub(super) async fn bridge(config: &Config) -> anyhow::Result<Bridge> {
    let registration = Registration::read(&config.appservice.registration_file)?;
    let homeserver = connect::homeserver(config, &registration, unobserved())?;
    let store = connect::store(config).await?;
    connect::bridge(config, &registration, store, homeserver, metrics::new().0)
}
