//! `traces` of sandbar.yaml: where it is sent where the time of calls goes.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

use super::present;

/// Spans of calls, sent to a collector of OpenTelemetry.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Traces")]
pub struct TracesConfig {
    /// Where a collector takes OTLP over HTTP; `/v1/traces` follows, unless it is there.
    #[schemars(regex(pattern = "^https?://[^/@]+(/.*)?$"), extend("examples" = ["http://collector.observability:4318"]))]
    pub endpoint: String,
    /// A file with headers, each as `name=value` with a comma or a line break behind it; absent: those of OTEL_EXPORTER_OTLP_HEADERS.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub headers_file: Option<PathBuf>,
    /// The authorities that answer for the collector, as PEM; absent: OTEL_EXPORTER_OTLP_CERTIFICATE, or those of this machine.
    #[serde(default, deserialize_with = "present")]
    #[schemars(with = "String", length(min = 1))]
    pub certificate_authority_file: Option<PathBuf>,
    /// The share of calls that have spans where their caller has not decided that; absent: by OTEL_TRACES_SAMPLER, or all.
    #[serde(default, deserialize_with = "share")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    pub sample: Option<f64>,
}

impl TracesConfig {
    /// The files that it names.
    pub(super) fn files(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        [&mut self.headers_file, &mut self.certificate_authority_file].into_iter().flatten()
    }
}

fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    let share = f64::deserialize(deserializer)?;
    if (0.0..=1.0).contains(&share) {
        return Ok(Some(share));
    }
    Err(de::Error::custom(format!("{share} is no share of calls: write a number from 0 to 1, 0.1 for every tenth")))
}
