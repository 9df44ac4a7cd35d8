//! `sandbar apiservice`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::anyhow;
use clap::Args;
use sandbar_tls::Issued;

use super::{Common, Failure, output};
use crate::apiservice::{Parts, Trust, objects};

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

#[derive(Args)]
#[command(
    after_help = "Nothing is written to the cluster: look at what it prints, and hand it to `kubectl apply --server-side -f -`. Each run makes another \
                        certificate, and prints a key: keep it from logs.\n\nExamples:\n  \
                  sandbar apiservice --config sandbar.yaml | kubectl apply --server-side -f -\n  \
                  sandbar apiservice --config sandbar.yaml --cert-manager | kubectl apply --server-side -f -"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    common: Common,
    /// The Service of the server
    #[arg(long, value_name = "NAME", default_value = "coder-k8s")]
    service: String,
    /// The namespace of that Service
    #[arg(short, long, value_name = "NAME", default_value = "coder-system", value_parser = sandbar_config::namespace)]
    namespace: String,
    /// The port of that Service
    #[arg(long, value_name = "PORT", default_value = "8090")]
    port: u16,
    /// The Secret for the certificate, which the server mounts
    #[arg(long, value_name = "NAME", default_value = "coder-k8s-mcp-tls")]
    secret: String,
    /// How many days the certificate is valid
    #[arg(long, value_name = "DAYS", default_value = "365", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// Has cert-manager make and renew the certificate, and write it into the APIService, instead of printing one
    #[arg(long, conflicts_with = "days")]
    cert_manager: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.common.config()?;
    let Arguments { service, namespace, port, secret, days, cert_manager, .. } = arguments;
    let names = vec![format!("{service}.{namespace}.svc"), format!("{service}.{namespace}"), "localhost".to_owned()];
    let trust = if cert_manager {
        Trust::CertManager { names }
    } else {
        let issued = Issued::new(names, Duration::from_secs(u64::from(days) * DAY));
        Trust::Own(issued.map_err(|error| anyhow!("no certificate can be made for the Service {service}: {error}"))?)
    };
    if config.api_service.is_none() {
        output::say(
            "sandbar: no configuration with `apiService` was given: this is for a server whose sandbar.yaml has `apiService: {}`",
        );
    }
    let parts = Parts { api: config.api_service.unwrap_or_default(), service, namespace, port, secret };
    output::text(&output::yaml(&objects(&parts, trust))?);
    Ok(ExitCode::SUCCESS)
}
