//! What it costs to know who calls.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::extension::Extension;
use sandbar_tests::http as wire;
use sandbar_tests::issuer::Issuer;
use sandbar_tests::mcp;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::process::{computed, resident};
use sandbar_tests::sandbar::{Builder, Server};
use sandbar_tests::until;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::load::{Connection, NO_RATE_LIMIT, Raw};
use crate::table::{Table, in_turn, mb, us};

/// Calls on each side.
const ROUNDS: usize = 4000;
/// The same of what makes a request of the API server.
const READS: usize = 3000;

/// The most that it may cost to know who calls.
const REACH: Duration = Duration::from_micros(30);

/// What an issuer takes for a resource.
const AUDIENCE: &str = "https://sandbar.example/mcp";

/// A call with a token that was verified before, against one of a server that asks nobody.
pub(crate) async fn of_a_verified_token(table: &mut Table) {
    let issuer = Issuer::start().await;
    let token = issuer.token(AUDIENCE).await;
    let fast = |builder: Builder| builder.cluster("demo").env(NO_RATE_LIMIT.0, NO_RATE_LIMIT.1);
    let known =
        fast(Server::builder()).config(&json!({ "authentication": { "oidc": tokens_of(&issuer) } }).to_string()).start().await;
    let open = fast(Server::builder()).start().await;

    let call = mcp::modern(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
    let mut authorized = call.clone();
    mcp::set(&mut authorized, "authorization", &format!("Bearer {token}"));
    let (with, without) = (Raw::new(known.address(), &authorized), Raw::new(open.address(), &call));
    // A refusal would end the connection.
    until("the token counts", async || (wire::send(known.address(), authorized.clone()).await.status == 200).then_some(())).await;
    let what = "a call with a verified token over one without any";
    let (times, _) = compare((&known, &with), (&open, &without), ROUNDS).await;
    row(table, what, times);
}

/// The configuration by which the tokens of an issuer count.
fn tokens_of(issuer: &Issuer) -> Value {
    let settings = json!({ "url": issuer.url(), "audiences": [AUDIENCE], "certificateAuthority": issuer.authority() });
    json!([{ "issuer": settings, "claimMappings": { "username": { "claim": "sub", "prefix": "oidc:" } } }])
}

/// Calls two servers in turn: the median time of each, and the processor time of each for a call.
async fn compare(one: (&Server, &Raw), other: (&Server, &Raw), rounds: usize) -> (Pair, Pair) {
    let to = async |server: &Server| Mutex::new(Connection::to(server.address()).await);
    let (to_one, to_other) = (to(one.0).await, to(other.0).await);
    let answer = async |connection: &Mutex<Connection>, request: &Raw| {
        let mut connection = connection.lock().await;
        assert!(connection.exchange(request).await.0.starts_with("HTTP/1.1 200"));
    };
    let used = || [one.0, other.0].map(|server| computed(server.id()));
    let (before, mut calls) = (used(), 0_u32);
    let counted = || {
        calls += 1;
        answer(&to_one, one.1)
    };
    let times = in_turn(rounds, counted, || answer(&to_other, other.1)).await;
    let [one, other] = used();
    (times, ((one - before[0]) / calls, (other - before[1]) / calls))
}

/// What the first of two took, and the second.
type Pair = (Duration, Duration);

/// Says how much more the first is than the second.
fn row(table: &mut Table, what: &str, (asking, open): Pair) {
    let more = asking.saturating_sub(open);
    let measured = format!("{} more ({} / {})", us(more), us(asking), us(open));
    table.row(what, measured, "30 us more", more <= REACH);
}

/// Reads for which reviews were remembered, of the caller's token alone and of their rights as well, against the same of a server that asks
/// nobody who they are and what they may read. It is their processor time: the API server takes milliseconds for each, by which the medians of
/// equal reads differ more than a review costs.
pub(crate) async fn of_a_remembered_review(table: &mut Table) {
    let control_plane = ControlPlane::shared();
    let namespace = Namespace::fresh("reviewed").await;
    namespace.control_plane("coder", json!({ "phase": "Ready" })).await;
    namespace.service_account("reader").await;
    let subject = format!("--serviceaccount={}:reader", namespace.name());
    control_plane.kubectl(&["create", "rolebinding", "reader", "--clusterrole=cluster-admin", &subject, "-n", namespace.name()]);
    let token = format!("Bearer {}", namespace.token("reader", &["sandbar"]).await);
    let status = json!({ "name": "get_control_plane_status", "arguments": { "namespace": namespace.name(), "name": "coder" } });
    let call = || mcp::modern(json!(1), "tools/call", status.clone());
    let mut authorized = call();
    mcp::set(&mut authorized, "authorization", &token);
    let server =
        |config: &str| Server::builder().of(control_plane, "admin").config(config).env(NO_RATE_LIMIT.0, NO_RATE_LIMIT.1).start();
    let open = server("").await;
    let without = Raw::new(open.address(), &call());
    for (what, rights) in [
        ("processor time of a read with a remembered review of its token over one without any", "server"),
        (
            "processor time of a read with remembered reviews of its token and of its caller's rights over one without any",
            "caller",
        ),
    ] {
        let asks =
            format!("authentication: {{ tokenReview: {{ audiences: [sandbar] }} }}\nauthorization: {{ rights: {rights} }}\n");
        let asking = server(&asks).await;
        let counts = async || (wire::send(asking.address(), authorized.clone()).await.status == 200).then_some(());
        until("the token counts", counts).await;
        let with = Raw::new(asking.address(), &authorized);
        let (_, processor) = compare((&asking, &with), (&open, &without), READS).await;
        row(table, what, processor);
    }
}

/// A call through the API server's path, against the same by the server's own port; both over TLS, by kube's client.
pub(crate) async fn through_the_api_server(table: &mut Table) {
    let control_plane = ControlPlane::shared();
    let config = "callsPerSecond: 1000000\nauthentication: { tokenReview: { audiences: [sandbar] } }\n";
    let extension = Extension::start(control_plane, "admin", config).await.handed_on(control_plane).await;
    let through = control_plane.client("admin").await;
    let port = extension.server.address().port();
    let mut config = kube::Config::new(format!("https://localhost:{port}").parse().expect("a URL"));
    config.root_cert = Some(vec![CertificateDer::from_pem_slice(extension.authority.as_bytes()).expect("PEM").to_vec()]);
    extension.namespace.service_account("caller").await;
    config.auth_info.token = Some(extension.namespace.token("caller", &["sandbar"]).await.into());
    let direct = kube::Client::try_from(config).expect("a client");
    let call = || mcp::modern(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
    let own = || {
        let mut request = call();
        *request.uri_mut() = "/mcp".parse().expect("a path");
        request
    };
    let answered = async |client: &kube::Client, request: Request<Bytes>| {
        let answer = extension.send(client, request).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    };
    let (through, alone) = in_turn(READS, || answered(&through, extension.addressed(call())), || answered(&direct, own())).await;
    table.row(
        "a call through the API server's path over the same by the server's own port",
        format!("{} / {}", us(through), us(alone)),
        "2x + 2 ms",
        through <= 2 * alone + Duration::from_millis(2),
    );
}

/// Resident memory of a server that has everything: TLS, a part of the Kubernetes API, tokens of both kinds, its callers' rights, an audit.
pub(crate) async fn memory_with_everything(table: &mut Table) {
    let control_plane = ControlPlane::shared();
    let issuer = Issuer::start().await;
    let authentication = json!({ "tokenReview": { "audiences": ["sandbar"] }, "oidc": tokens_of(&issuer) });
    let config = format!("authentication: {authentication}\nauthorization: {{ rights: caller }}\n");
    let extension = Extension::start(control_plane, "admin", &config).await.handed_on(control_plane).await;
    let admin = control_plane.client("admin").await;
    let call = mcp::modern(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
    extension.send(&admin, extension.addressed(call)).await;
    let rest = resident(extension.server.id());
    table.row("resident at rest with everything on", mb(rest), "45 MB", rest <= 45_000_000);
}
