//! Whether calls are traced: sandbar.yaml, and the variables of OpenTelemetry, which its operator sets for many programs at once. What is
//! wrong in the first keeps the server from starting, and what is wrong in the second, traces from being sent.

use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use sandbar_config::TracesConfig;
use sandbar_traces::{Environment, Export, Settings, Traces};

/// Where spans are to be sent.
pub(super) struct Wanted {
    /// How, or what of that cannot be used.
    pub(super) settings: Result<Settings, String>,
    /// What the variables say, and whether they forbid it.
    pub(super) environment: Environment,
}

/// What the configuration says, or else the variables; none: calls are not traced.
pub(super) fn wanted(config: Option<&TracesConfig>) -> Option<Wanted> {
    let environment = Environment::read(env!("CARGO_PKG_VERSION"), |name| std::env::var(name).ok());
    let settings = match config {
        Some(config) => configured(config, &environment),
        None => Settings::of(&environment)?,
    };
    Some(Wanted { settings, environment })
}

/// Traces calls, if that is configured.
pub(super) fn start(config: Option<&TracesConfig>) -> anyhow::Result<Option<(Arc<Traces>, Export)>> {
    let Some(Wanted { settings, environment }) = wanted(config) else { return Ok(None) };
    if let Some(why) = &environment.off {
        tracing::warn!("calls are not traced: {why}");
        return Ok(None);
    }
    for ignored in &environment.ignored {
        tracing::warn!("{ignored}");
    }
    let started = settings.and_then(|settings| {
        let address = settings.address.clone();
        Ok((address, Traces::start(settings)?))
    });
    match started {
        Ok((address, started)) => {
            tracing::info!("spans of calls are sent to {address}");
            Ok(Some(started))
        }
        Err(why) if config.is_some() => Err(anyhow!(why)).context("traces"),
        Err(why) => {
            tracing::warn!("calls are not traced: {why}");
            Ok(None)
        }
    }
}

fn configured(config: &TracesConfig, environment: &Environment) -> Result<Settings, String> {
    let TracesConfig { endpoint, headers_file, certificate_authority_file, sample } = config;
    let mut settings = Settings::towards(endpoint, environment).map_err(|why| format!("`endpoint`: {why}"))?;
    settings.headers_file.clone_from(headers_file);
    settings.authorities_file = certificate_authority_file.clone().or(settings.authorities_file);
    if let Some(sample) = sample {
        settings.sampler.share = *sample;
    }
    Ok(settings)
}
