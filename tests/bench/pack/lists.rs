//! How many bytes a model reads: of the list of tools, and of a list of pods.

use sandbar_tests::mcp::Client;
use serde_json::json;

use super::cluster::{self, Large};
use super::{Said, server_of};
use crate::table::Table;
use crate::tools::Connection;

/// Bytes of the list of tools.
const TOOLS_MAX: usize = 8 * 1024;

pub(super) async fn of_tools(table: &mut Table, Large { control_plane, .. }: &Large) {
    let server = server_of(control_plane).await;
    let result = Client::modern(&server).request("tools/list", json!({})).await["result"].take();
    let (tools, bytes) = (result["tools"].as_array().map_or(0, Vec::len), result["tools"].to_string().len());
    table.row(
        "tools/list of the pack kubernetes",
        format!("{bytes} bytes, {tools} tools"),
        "8 KB",
        bytes <= TOOLS_MAX && tools > 0,
    );
}

pub(super) async fn of_pods(table: &mut Table, Large { control_plane, large, .. }: &Large) {
    let server = server_of(control_plane).await;
    let connection = Connection::to(&server);
    let arguments = json!({ "kind": "pods", "namespace": large.name(), "limit": cluster::LARGE });
    let said = Said::by(&connection, "list_resources", arguments).await;
    assert_eq!(said.structure["count"], cluster::LARGE, "{}", said.text);
    let ours = said.bytes();
    let of_kubectl = control_plane.kubectl(&["get", "pods", "-n", large.name(), "-o", "json"]).len();
    table.row(
        &format!("list_resources, {} pods, as a part of kubectl get pods -o json", cluster::LARGE),
        format!("1/{:.0} ({} of {of_kubectl})", of_kubectl as f64 / ours.most() as f64, ours.words()),
        "1/50",
        ours.most() * 50 <= of_kubectl,
    );
}
