//! `sandbar connect`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use clap::Args;
use sandbar_catalog::FileStamps;
use sandbar_config::ApiServiceConfig;
use sandbar_connect::{BehindApiServer, Bridge, Forwarded, InProcess, Way, serve_port, serve_stdio};
use sandbar_http::{Admission, Allowlist, App, Parts, Readiness, SessionKey, Surroundings};
use sandbar_identity::Authentication;
use sandbar_kubernetes::{Forwarder, ServerName, ServiceName, Token};
use sandbar_mcp::Server;
use sandbar_sandbox::{available_memory, memory_for_answers};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::observers::Observers;
use super::reload::{self, INTERVAL, Reloader};
use super::serve::{PortFlag, listen};
use super::setup::{Patience, Setup, runtime};
use super::{Failure, OnCluster, environment, output};

/// Threads that only pass messages on.
const THREADS: usize = 2;

/// The Service of the manifests in deploy/.
const SERVICE: &str = "coder-system/coder-k8s";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The kubeconfig to log in with [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, value_name = "FILE", help_heading = BEHIND_API_SERVER)]
    kubeconfig: Option<PathBuf>,
    /// Its context [default: the current one]
    #[arg(long, value_name = "NAME", help_heading = BEHIND_API_SERVER)]
    context: Option<String>,
    /// The API group of the server [default: mcp.sandbar.dev]
    #[arg(long, value_name = "GROUP", help_heading = BEHIND_API_SERVER)]
    group: Option<String>,
    /// The name of the server in that group [default: sandbar]
    #[arg(long, value_name = "NAME", help_heading = BEHIND_API_SERVER)]
    server: Option<String>,
    /// A Service to whose pods to forward a port instead [default: coder-system/coder-k8s, where mcp.sandbar.dev is not served, and
    /// neither --group nor --server is given]
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = ServiceName::parse, conflicts_with_all = ["group", "server"], help_heading = BEHIND_API_SERVER)]
    service: Option<ServiceName>,
    /// The address of a server that can be reached by itself, http://127.0.0.1:8090/mcp for example
    #[arg(long, value_name = "URL", conflicts_with_all = ["kubeconfig", "context", "group", "server", "service"], help_heading = AT_ADDRESS)]
    url: Option<String>,
    /// A file with the token that says who you are, read again every minute and when it is refused; SANDBAR_TOKEN can hold the token itself
    #[arg(long, value_name = "FILE", requires = "url", help_heading = AT_ADDRESS)]
    token_file: Option<PathBuf>,
    /// A file with the certificate authorities that may have signed its certificate, as PEM [default: those of this machine]
    #[arg(long, value_name = "FILE", requires = "url", help_heading = AT_ADDRESS)]
    certificate_authority: Option<PathBuf>,
    /// Serve clients on this port, which has to be of this machine alone, instead of standard input and output
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = loopback)]
    listen: Option<SocketAddr>,
    #[command(flatten, next_help_heading = IN_PROCESS)]
    common: OnCluster,
}

const BEHIND_API_SERVER: &str = "The server behind the API server of your kubeconfig (the default)";
const AT_ADDRESS: &str = "Or a server at an address";
const IN_PROCESS: &str = "Or no server at all: with --cluster, this process is one";

const EXAMPLES: &str = "\
Examples:
  sandbar connect                                the server in the cluster of your current context, over stdio
  sandbar connect --context prod                 in another one
  sandbar connect --listen 127.0.0.1:8090        for clients that speak HTTP, at http://127.0.0.1:8090/mcp
  sandbar connect --url https://mcp.example.com/mcp --token-file token
  sandbar connect --cluster kubeconfig           without a server: tools read with your own rights
  sandbar connect --cluster demo                 without a cluster, too

Standard output has MCP's messages and nothing else; words go to standard error. A connection that is lost is made anew, and
requests whose answer was lost are sent again once, since tools only read. Whoever can reach the port of --listen has your
rights, so it is of this machine alone, and web pages are refused.";

/// An address of this machine alone.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = sandbar_config::address(text)?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    let local = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    Err(format!(
        "whoever reaches it would have your rights, so it has to be of this machine alone: {local}; `sandbar serve` serves others"
    ))
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    if arguments.url.is_some() && arguments.common.cluster.is_some() {
        let words = "--url names a server, and --cluster (or SANDBAR_CLUSTER) has this process be one: leave one of them out";
        return Err(Failure::Usage(anyhow!(words)));
    }
    let names = [&arguments.context, &arguments.group, &arguments.server];
    let elsewhere = arguments.kubeconfig.is_some() || arguments.service.is_some() || names.iter().any(|name| name.is_some());
    if elsewhere && arguments.common.cluster.is_some() {
        let words = "--kubeconfig, --context, --group, --server and --service are for a server that is elsewhere, and --cluster (or \
                     SANDBAR_CLUSTER) has this process be one: its context is written --cluster kubeconfig:NAME, and its file is in \
                     KUBECONFIG";
        return Err(Failure::Usage(anyhow!(words)));
    }
    let runtime = if arguments.common.cluster.is_some() { runtime() } else { small_runtime() }?;
    let outcome = runtime.block_on(connect(arguments));
    // Standard input is read by a thread that may wait for ever.
    runtime.shutdown_background();
    outcome.map(|()| ExitCode::SUCCESS)
}

fn small_runtime() -> anyhow::Result<Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(THREADS).enable_all().build().context("the runtime cannot be started")
}

async fn connect(arguments: Arguments) -> Result<(), Failure> {
    let stop = stopped()?;
    // The port first: who cannot have it should not wait for anything else.
    let listener = match arguments.listen {
        Some(address) => Some(listen(address, PortFlag::MCP).await?),
        None => None,
    };
    let (way, leads_to) = way(&arguments).await?;
    let bridge = Bridge::new(way);
    match listener {
        Some(listener) => {
            let address = listener.local_addr()?;
            output::say(&format!("sandbar connects to {leads_to}; connect an MCP client to http://{address}/mcp"));
            serve_port(bridge, listener, stop).await;
        }
        None => {
            output::say(&format!("sandbar connects to {leads_to}; an MCP client speaks on standard input and output"));
            let served = serve_stdio(bridge, tokio::io::stdin(), tokio::io::stdout(), stop).await;
            served.context("standard input or output has failed")?;
        }
    }
    Ok(())
}

/// The way to the server, and where it leads.
async fn way(arguments: &Arguments) -> Result<(Arc<dyn Way>, String), Failure> {
    if arguments.common.cluster.is_some() {
        return Ok(in_process(arguments.common.clone()).await?);
    }
    if let Some(url) = &arguments.url {
        let token = token(arguments.token_file.as_ref())?;
        let forwarder = Forwarder::to_address(url, token, arguments.certificate_authority.as_deref()).await;
        let forwarder = forwarder.map_err(|fault| Failure::Usage(anyhow!("{fault}")))?;
        let leads_to = forwarder.describe();
        return Ok((Arc::new(Forwarded::new(forwarder)), leads_to));
    }
    let (group, server) = (arguments.group.as_deref(), arguments.server.as_deref());
    // Where none is named, that which a server is by default.
    let default = ApiServiceConfig::default();
    let name = ServerName::new(group.unwrap_or(&default.group), server.unwrap_or(&default.server))
        .map_err(|words| Failure::Usage(anyhow!(words)))?;
    let forwarder = Forwarder::to_server(arguments.kubeconfig.as_deref(), arguments.context.as_deref(), name).await?;
    if let Some(service) = arguments.service.clone() {
        let pods = forwarder.to_service(service);
        let leads_to = pods.describe();
        return Ok((Arc::new(Forwarded::new(pods)), leads_to));
    }
    let leads_to = forwarder.describe();
    if group.or(server).is_some() {
        // Whoever names a server means no other.
        return Ok((Arc::new(Forwarded::new(forwarder)), leads_to));
    }
    let otherwise = ServiceName::parse(SERVICE).map_err(|words| anyhow!(words))?;
    Ok((Arc::new(BehindApiServer::new(forwarder, otherwise)), leads_to))
}

/// How the person says who they are to a server at an address.
fn token(file: Option<&PathBuf>) -> anyhow::Result<Token> {
    if let Some(file) = file {
        return Ok(Token::File(file.clone()));
    }
    match std::env::var(environment::TOKEN) {
        Ok(token) if !token.trim().is_empty() => Ok(Token::Text(token)),
        Err(std::env::VarError::NotUnicode(_)) => Err(anyhow!("{} holds something else than text", environment::TOKEN)),
        _ => Ok(Token::None),
    }
}

/// A whole server in this process, for the one who runs it.
async fn in_process(common: OnCluster) -> anyhow::Result<(Arc<dyn Way>, String)> {
    let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be listened for")?;
    let before_reading = FileStamps::of(common.config.as_deref());
    let text = common.text()?;
    let config = common.config_of(text.as_deref())?;
    let stamps = common.look_after_reading(&config, &before_reading);
    let setup = common.load(config, Patience::OF_SERVER).await?;
    let problems = reload::problems_at_start(&setup, &Observers::default());
    let Setup { config, clusters, loader, catalog, packs, processors, .. } = setup;
    let (catalogs, current) = watch::channel(Arc::new(catalog));
    let readiness =
        Readiness::new(clusters.clone(), false, String::new(), true, problems.clone(), "whoever runs this process".to_owned());
    let app = App::from(Parts {
        server: Server::new(current),
        sessions: watch::channel(SessionKey::derived(clusters.home().describe()).into()).1,
        allowed: Allowlist::new(Vec::new(), Vec::new(), Surroundings::Elsewhere),
        // Nobody can reach it but the person who has started it.
        authentication: Authentication::default(),
        extension: None,
        resource: None,
        admission: Admission::new(config.calls_per_second, available_memory()),
        answers: memory_for_answers(available_memory()),
        processors,
        readiness: readiness.clone(),
    });
    let leads_to = format!("a server in this process for {}", clusters.describe());
    let configure = common.clone();
    let reloader = Reloader {
        common,
        configure: move |text: Option<&str>| configure.config_of(text),
        interval: INTERVAL,
        started: config.clone(),
        configs: watch::Sender::new(config.clone()),
        config,
        loader,
        packs,
        catalogs,
        readiness,
        known: problems,
        seen: None,
        granted: text,
        broken: None,
        observers: Observers::default(),
    };
    tokio::spawn(reloader.follow(stamps, hangup));
    Ok((Arc::new(InProcess::new(Arc::new(app))), leads_to))
}

/// Resolves on SIGTERM and on Ctrl-C.
fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_of_this_machine_alone() {
        for text in ["127.0.0.1:8090", "[::1]:8090", "127.9.9.9:0"] {
            assert!(loopback(text).is_ok(), "{text}");
        }
        for text in ["0.0.0.0:8090", "[::]:8090", "10.0.0.7:8090", "8090"] {
            assert!(loopback(text).is_err(), "{text}");
        }
        assert!(loopback("0.0.0.0:8090").expect_err("refused").contains("127.0.0.1:8090"));
    }
}
