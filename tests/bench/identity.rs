//! What it costs to know who calls.

use std::time::Duration;

use sandbar_tests::http as wire;
use sandbar_tests::issuer::Issuer;
use sandbar_tests::mcp;
use sandbar_tests::sandbar::{Builder, Server};
use sandbar_tests::until;
use serde_json::json;
use tokio::sync::Mutex;

use crate::load::{Connection, NO_RATE_LIMIT, Raw};
use crate::table::{Table, in_turn, us};

/// Calls on each side.
const ROUNDS: usize = 4000;

/// What an issuer takes for a resource.
const AUDIENCE: &str = "https://sandbar.example/mcp";

/// A call with a token that was verified before, against one of a server that asks nobody.
pub(crate) async fn of_a_verified_token(table: &mut Table) {
    let issuer = Issuer::start().await;
    let token = issuer.token(AUDIENCE).await;
    let mapping = json!({ "claim": "sub", "prefix": "oidc:" });
    let settings = json!({ "url": issuer.url(), "audiences": [AUDIENCE], "certificateAuthority": issuer.authority() });
    let oidc = json!([{ "issuer": settings, "claimMappings": { "username": mapping } }]);
    let fast = |builder: Builder| builder.cluster("demo").env(NO_RATE_LIMIT.0, NO_RATE_LIMIT.1);
    let known = fast(Server::builder()).config(&json!({ "authentication": { "oidc": oidc } }).to_string()).start().await;
    let open = fast(Server::builder()).start().await;

    let call = mcp::modern(json!(1), "tools/call", json!({ "name": "check_health", "arguments": {} }));
    let mut authorized = call.clone();
    mcp::set(&mut authorized, "authorization", &format!("Bearer {token}"));
    let (with, without) = (Raw::new(known.address(), &authorized), Raw::new(open.address(), &call));
    // A refusal would end the connection.
    until("the token counts", async || (wire::send(known.address(), authorized.clone()).await.status == 200).then_some(())).await;
    let (to_known, to_open) =
        (Mutex::new(Connection::to(known.address()).await), Mutex::new(Connection::to(open.address()).await));
    let answer = async |connection: &Mutex<Connection>, request: &Raw| {
        let mut connection = connection.lock().await;
        assert!(connection.exchange(request).await.0.starts_with("HTTP/1.1 200"));
    };
    let (known, open) = in_turn(ROUNDS, || answer(&to_known, &with), || answer(&to_open, &without)).await;
    let more = known.saturating_sub(open);
    table.row(
        "a call with a verified token over one without any",
        format!("{} more ({} / {})", us(more), us(known), us(open)),
        "30 us more",
        more <= Duration::from_micros(30),
    );
}
