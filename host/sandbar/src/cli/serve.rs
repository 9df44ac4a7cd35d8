//! `sandbar serve`.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, CommandFactory as _};
use rustix::io::Errno;
use sandbar_catalog::{FileStamps, Source};
use sandbar_config::{ApiServiceConfig, AuthenticationConfig, Config, MetricsConfig};
use sandbar_http::{Admission, Allowlist, App, Connections, Extension, Parts, Readiness, SessionKey, Surroundings, serve};
use sandbar_mcp::Server;
use sandbar_sandbox::{available_memory, memory_for_answers};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::authentication::{authentication, who_may_call};
use super::certificate::{CertificateFollower, TlsFlags};
use super::metrics::{MetricsPort, Sources};
use super::observers::Observers;
use super::reload::{self, Reloader};
use super::rights::RightsFollower;
use super::session_keys::{self, Given};
use super::setup::{Patience, Setup, runtime};
use super::{Cli, Failure, OnCluster, environment, oidc, output, traces};

/// How long the server goes on accepting after it says that it is not ready any more: what it takes until no proxy sends new
/// connections to it.
const DRAIN_DELAY: Duration = Duration::from_secs(3);

/// The part of the memory that TLS may take: as much as answers that wait for their readers.
const TLS_SHARE: u64 = 8;

#[derive(Args)]
#[command(
    after_help = "Examples:\n  sandbar serve --cluster demo\n  sandbar serve --cluster kubeconfig:kind-dev --packs auto\n  \
                  sandbar serve --config sandbar.yaml"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) common: OnCluster,
    /// The address and port to listen on [default: 127.0.0.1:8090]
    #[arg(long, value_name = "ADDRESS:PORT", env = "SANDBAR_LISTEN", value_parser = sandbar_config::address)]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    tls: TlsFlags,
    /// A name by which clients may address the server, beside localhost, IP addresses and, in a pod, its Services' names; can be given several times
    #[arg(long = "allow-host", value_name = "NAME", env = "SANDBAR_ALLOW_HOST", value_delimiter = ',', value_parser = sandbar_config::host)]
    hosts: Option<Vec<String>>,
    /// An origin of web pages or desktop apps that may connect, http://localhost:6274 or tauri://localhost for example; can be given several times
    #[arg(long = "allow-origin", value_name = "ORIGIN", env = "SANDBAR_ALLOW_ORIGIN", value_delimiter = ',', value_parser = sandbar_config::origin)]
    origins: Option<Vec<String>>,
    /// Lets everybody who reaches the server call, where sandbar.yaml asks nobody who they are and the address is no loopback address [default: false]
    #[arg(long, value_name = "BOOL", env = "SANDBAR_ALLOW_ANONYMOUS", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    allow_anonymous: Option<bool>,
    /// Tool calls a second for each caller; ten times as many may come at once [default: 100]
    #[arg(long, value_name = "NUMBER", env = "SANDBAR_CALLS_PER_SECOND", value_parser = sandbar_config::calls_per_second)]
    calls_per_second: Option<NonZeroU32>,
    /// Connections at once, at least 8 [default: 4096]
    #[arg(long, value_name = "NUMBER", env = "SANDBAR_CONNECTIONS", value_parser = sandbar_config::connections)]
    connections: Option<usize>,
    /// Time for running calls to end when the server stops [default: 24s]
    #[arg(long, value_name = "TIME", env = "SANDBAR_DRAIN", value_parser = sandbar_config::drain)]
    drain: Option<Duration>,
    /// The address and port of metrics for Prometheus, at /metrics [default: none]
    #[arg(long, value_name = "ADDRESS:PORT", env = "SANDBAR_METRICS_LISTEN", value_parser = sandbar_config::address)]
    metrics_listen: Option<SocketAddr>,
    /// Whether a web page is there as well, at /, for people who run the server [default: true]
    #[arg(long, value_name = "BOOL", env = "SANDBAR_METRICS_PAGE", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    metrics_page: Option<bool>,
    /// A file with a secret to sign session ids with, the same for all replicas, or several, one a line: the first signs, and ids of all
    /// count; SANDBAR_SESSION_KEY can hold the secrets themselves [default: derived from what replicas share anyway]
    #[arg(long, value_name = "FILE", env = "SANDBAR_SESSION_KEY_FILE")]
    pub(super) session_key_file: Option<PathBuf>,
}

/// How a server takes up what has changed, and what it grants.
pub(super) struct Manner {
    /// Time between two looks at the files.
    pub(super) interval: Duration,
    /// What is done to the configuration each time that it has been read.
    pub(super) configure: Box<dyn Fn(&mut Config) + Send>,
}

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    run_as(arguments, Manner { interval: reload::INTERVAL, configure: Box::new(|_| {}) })
}

/// Serves until it is stopped.
pub(super) fn run_as(arguments: Arguments, manner: Manner) -> Result<ExitCode, Failure> {
    for unread in environment::unread(&Cli::command(), std::env::vars_os()) {
        tracing::warn!("{unread}");
    }
    let runtime = runtime()?;
    runtime.block_on(serve_until_stopped(arguments, manner))?;
    // Calls that outlasted the time to drain must not keep the process.
    runtime.shutdown_background();
    Ok(ExitCode::SUCCESS)
}

async fn serve_until_stopped(arguments: Arguments, Manner { interval, configure }: Manner) -> anyhow::Result<()> {
    // From the beginning on, because without it the signal ends the process.
    let hangup = signal(SignalKind::hangup()).context("SIGHUP cannot be listened for")?;
    // What is looked at before it is read can miss no change.
    let before_reading = FileStamps::of(arguments.common.config.as_deref());
    let text = arguments.common.text()?;
    let mut config = arguments.config_of(text.as_deref())?;
    configure(&mut config);
    let session_keys = session_keys::given(arguments.session_key_file.as_deref())?;
    let proxy_names = config.authentication.front_proxy.as_ref().map(|proxy| proxy.allowed_names.clone()).unwrap_or_default();
    let mut certificate = config.tls.clone().map(|files| CertificateFollower::start(files, proxy_names)).transpose()?;

    config.check_serving().map_err(anyhow::Error::msg)?;
    // The port first: a server that cannot listen should not make its user wait for that.
    let listener = listen(config.listen, PortFlag::MCP).await?;
    let metrics_port = match &config.metrics {
        Some(MetricsConfig { listen: address, page }) => Some(MetricsPort::on(listen(*address, PortFlag::METRICS).await?, *page)),
        None => None,
    };
    let stamps = arguments.common.look_after_reading(&config, &before_reading);
    let (traces, export) = traces::start(config.traces.as_ref())?.unzip();
    let observers = Observers { traces: traces.clone(), ..metrics_port.as_ref().map(MetricsPort::observers).unwrap_or_default() };
    let setup = arguments.common.load_observed(config, Patience::OF_SERVER, &observers).await?;
    let problems = reload::problems_at_start(&setup, &observers);
    let bundled_loaded = !setup.problems.iter().any(|problem| matches!(problem.source, Source::Bundled(_)));
    let Setup { config, clusters, loader, catalog, on, packs, processors, .. } = setup;
    observers.serves(&catalog);
    let tools = catalog.definitions().count();
    let (authentication, aggregation) = authentication(&config, clusters.home(), certificate.as_mut()).await?;
    let who = who_may_call(&config);
    let served = reload::served(tools, &packs.describe(&config, &on));
    let readiness = Readiness::new(clusters.clone(), config.asks_home(), served, bundled_loaded, problems.clone(), who.clone());

    let (catalogs, current) = watch::channel(Arc::new(catalog));
    let (keys, key_follower) = session_keys.map(|Given { keys, follower }| (keys, follower)).unzip();
    let derived = || SessionKey::derived(clusters.home().describe()).into();
    let (session_keys, sessions) = watch::channel(keys.unwrap_or_else(derived));
    let allowed = Allowlist::new(config.hosts.clone(), config.origins.clone(), surroundings(&config));
    let app = Arc::new(App::from(Parts {
        server: Server::new(current),
        sessions,
        allowed: allowed.clone(),
        authentication,
        resource: oidc::resource(&config.authentication, certificate.is_some()),
        extension: config.api_service.clone().map(|ApiServiceConfig { group, server }| Extension::new(group, server)),
        admission: Admission::new(config.calls_per_second, available_memory()),
        answers: memory_for_answers(available_memory()),
        processors,
        readiness: readiness.clone(),
    }));
    let address = listener.local_addr()?;
    tracing::info!("{who}");
    let way_in = way_in(&config, address);
    tokio::spawn(announce(readiness.clone(), clusters.describe(), tools, way_in, address));
    tokio::spawn(readiness.clone().watch_cluster());
    let tls_memory = certificate.as_ref().map(|_| available_memory() / TLS_SHARE);
    let (connections, drain) = (Connections::new(config.connections, tls_memory), config.drain);
    let served_metrics = metrics_port.map(|port| {
        let sources = Sources {
            app: app.clone(),
            connections: connections.clone(),
            loader: loader.clone(),
            clusters: clusters.clone(),
            traces,
            certificate: certificate.as_ref().map(CertificateFollower::expires),
            memory: available_memory(),
            readiness: readiness.clone(),
            callers: who,
        };
        port.serve(sources, allowed)
    });
    let served_metrics = served_metrics.transpose()?;
    let configs = watch::Sender::new(config.clone());
    let rights = RightsFollower { configs: configs.subscribe(), catalogs: catalogs.subscribe(), clusters: clusters.clone() };
    tokio::spawn(rights.follow(readiness.clone()));
    let reloader = Reloader {
        common: arguments.common.clone(),
        configure: move |text: Option<&str>| {
            let mut config = arguments.config_of(text)?;
            configure(&mut config);
            Ok(config)
        },
        interval,
        started: config.clone(),
        config,
        loader,
        packs,
        catalogs,
        readiness: readiness.clone(),
        configs,
        known: problems,
        seen: None,
        granted: text,
        broken: None,
        observers,
    };
    tokio::spawn(reloader.follow(stamps, hangup));
    let tls = certificate.as_ref().map(CertificateFollower::acceptors);
    if let Some(certificate) = certificate {
        tokio::spawn(certificate.follow(readiness.clone()));
    }
    if let Some(follower) = key_follower.flatten() {
        tokio::spawn(follower.follow(session_keys, readiness.clone()));
    }
    if let Some(aggregation) = aggregation {
        tokio::spawn(aggregation.follow(readiness.clone()));
    }
    serve(listener, tls, app, connections, drain, stopped(readiness)?).await;
    let last_answers = async {
        if let Some(metrics) = served_metrics {
            metrics.end().await;
        }
    };
    let last_spans = async {
        if let Some(export) = export {
            export.end().await;
        }
    };
    tokio::join!(last_answers, last_spans);
    tracing::info!("stopped");
    Ok(())
}

impl Arguments {
    /// The configuration that sandbar.yaml is with this text, with the flags over it.
    pub(super) fn config_of(&self, text: Option<&str>) -> anyhow::Result<Config> {
        let mut config = self.common.config_of(text)?;
        config.listen = self.listen.unwrap_or(config.listen);
        config.tls = self.tls.over(config.tls)?;
        config.hosts = self.hosts.clone().unwrap_or(config.hosts);
        config.origins = self.origins.clone().unwrap_or(config.origins);
        // Whatever deploys a server may have set the variable for everybody; who writes the file can still forbid it.
        config.allow_anonymous =
            config.allow_anonymous.filter(|allowed| !allowed).or(self.allow_anonymous).or(config.allow_anonymous);
        config.calls_per_second = self.calls_per_second.unwrap_or(config.calls_per_second);
        config.connections = self.connections.unwrap_or(config.connections);
        config.drain = self.drain.unwrap_or(config.drain);
        let has_page = self.metrics_page.or(config.metrics.as_ref().map(|metrics| metrics.page)).unwrap_or(true);
        let listen = self.metrics_listen.or(config.metrics.map(|metrics| metrics.listen));
        config.metrics = listen.map(|listen| MetricsConfig { listen, page: has_page });
        Ok(config)
    }
}

/// Where the server runs, as far as its names are concerned: in a cluster only if that is one that it serves. A laptop can have a pod's
/// variables, too, from tools that connect it to one.
fn surroundings(config: &Config) -> Surroundings {
    if !config.clusters().any(|cluster| cluster.source.is_this_pods()) {
        return Surroundings::Elsewhere;
    }
    let namespace = std::fs::read_to_string("/var/run/secrets/kubernetes.io/serviceaccount/namespace").ok();
    Surroundings::pod(namespace.as_deref(), &std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default())
}

/// A flag that says where to listen.
#[derive(Clone, Copy)]
pub(super) struct PortFlag {
    name: &'static str,
    /// A port for it that needs no rights.
    port: u16,
}

impl PortFlag {
    pub(super) const MCP: Self = Self { name: "--listen", port: sandbar_config::DEFAULT_LISTEN.port() };
    pub(super) const METRICS: Self = Self { name: "--metrics-listen", port: 9090 };
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {way_out}")]
pub(super) struct NotListening {
    address: SocketAddr,
    way_out: String,
    /// Whether another program listens there.
    pub(super) is_taken: bool,
}

/// Listens at the address that this flag, or what stands for it, has named.
pub(super) async fn listen(address: SocketAddr, flag: PortFlag) -> Result<TcpListener, NotListening> {
    let bound = match TcpListener::bind(address).await {
        Err(error) => match without_ipv6(address, &error) {
            Some(all) => {
                tracing::info!("this machine has no IPv6, so that {address} is {all}");
                TcpListener::bind(all).await
            }
            None => Err(error),
        },
        bound => bound,
    };
    bound.map_err(|error| NotListening {
        address,
        way_out: way_out(address, &error, flag),
        is_taken: error.kind() == io::ErrorKind::AddrInUse,
    })
}

/// All addresses of a machine, which are meant by `[::]`, where it has none of IPv6.
fn without_ipv6(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let is_meant = address.ip() == Ipv6Addr::UNSPECIFIED && is_unknown_family(error);
    is_meant.then(|| SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
}

fn is_unknown_family(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

/// Why an address cannot be listened on, and what can be done about it.
fn way_out(address: SocketAddr, error: &io::Error, PortFlag { name: flag, port: another }: PortFlag) -> String {
    let (ip, port) = (address.ip(), address.port());
    match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "another program does; choose another port with {flag}, or end that program (`ss -ltnp 'sport = :{port}'` shows it)"
        ),
        io::ErrorKind::PermissionDenied if port < 1024 => {
            let other = SocketAddr::new(ip, another);
            format!("ports below 1024 need root's rights; choose one above, with `{flag} {other}` for example")
        }
        io::ErrorKind::PermissionDenied => format!("this user may not; choose another port with {flag}"),
        io::ErrorKind::AddrNotAvailable => {
            let all = if address.is_ipv4() { "0.0.0.0" } else { "[::]" };
            format!(
                "{ip} is no address of this machine; `ip address` shows those that are, `{flag} {all}:{port}` stands for all of \
                 them and `{flag} 127.0.0.1:{port}` for this machine alone"
            )
        }
        _ if address.is_ipv6() && is_unknown_family(error) => {
            format!("this machine has no IPv6; choose an IPv4 address, with `{flag} 127.0.0.1:{port}` for example")
        }
        _ => format!("{error}; choose another address with {flag}"),
    }
}

/// How a client comes in at the address that is listened on.
fn way_in(config: &Config, address: SocketAddr) -> String {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    // Through the API server alone, the port itself is of no use to a client.
    if config.api_service.is_some() && config.authentication == AuthenticationConfig::default() {
        format!("it listens at {scheme}://{address} for the API server: connect an MCP client with `sandbar connect`")
    } else {
        format!("connect an MCP client to {scheme}://{address}/mcp")
    }
}

/// Says where to connect, once there is something to connect to.
async fn announce(readiness: Readiness, cluster: String, tools: usize, way_in: String, address: SocketAddr) {
    output::say(&format!("sandbar serves {tools} tools for {cluster}; {way_in}"));
    readiness.wait_for_cluster().await;
    tracing::info!(%address, tools, %cluster, "ready");
}

/// Resolves when the server should drain: some time after SIGTERM, at once on Ctrl-C.
fn stopped(readiness: Readiness) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM cannot be listened for")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be listened for")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {
                readiness.drain();
                tracing::info!("SIGTERM: draining");
                tokio::select! {
                    () = tokio::time::sleep(DRAIN_DELAY) => {}
                    _ = interrupt.recv() => {}
                }
            }
            _ = interrupt.recv() => readiness.drain(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_addresses_are_those_that_there_are() {
        let instead = |address: &str, errno: Errno| {
            without_ipv6(address.parse().expect("an address"), &io::Error::from(errno)).map(|all| all.to_string())
        };
        assert_eq!(instead("[::]:8090", Errno::AFNOSUPPORT).as_deref(), Some("0.0.0.0:8090"));
        assert_eq!(instead("[::1]:8090", Errno::AFNOSUPPORT), None, "somebody wants this one");
        assert_eq!(instead("[::]:8090", Errno::ADDRINUSE), None);
    }

    #[test]
    fn each_way_out_is_one_for_that_address() {
        let of = |errno: Errno, address: &str| {
            let words = way_out(address.parse().expect("an address"), &io::Error::from(errno), PortFlag::MCP);
            assert!(!words.contains("os error"), "{words}");
            words
        };
        for (errno, address, said, unsaid) in [
            (Errno::ADDRINUSE, "127.0.0.1:8090", "`ss -ltnp 'sport = :8090'`", "address of"),
            (Errno::ACCESS, "0.0.0.0:80", "`--listen 0.0.0.0:8090`", "ss -"),
            (Errno::ACCESS, "[::]:443", "`--listen [::]:8090`", "ss -"),
            (Errno::PERM, "127.0.0.1:1023", "`--listen 127.0.0.1:8090`", "ss -"),
            (Errno::ACCESS, "127.0.0.1:1024", "choose another port", "1024"),
            (Errno::ADDRNOTAVAIL, "10.1.2.3:9000", "`--listen 0.0.0.0:9000`", "ss -"),
            (Errno::ADDRNOTAVAIL, "[2001:db8::7]:9000", "`--listen [::]:9000`", "ss -"),
            (Errno::AFNOSUPPORT, "[::1]:9000", "`--listen 127.0.0.1:9000`", "ss -"),
        ] {
            let words = of(errno, address);
            assert!(words.contains(said) && !words.contains(unsaid), "{address}: {words}");
        }
    }
}
