//! `find_problems` over a whole cluster.

use sandbar_tests::process::resident;
use sandbar_tests::troubles::Staged;
use serde_json::{Value, json};

use super::cluster::{self, Large};
use super::recorder::Requests;
use super::{Said, is_about, server_of};
use crate::process::peak_of;
use crate::table::{Table, in_turn, mb, ms};
use crate::tools::Connection;

/// Calls on each side.
const ROUNDS: usize = 12;

/// Calls over which the memory is looked at.
const LOOKS: usize = 3;

pub(super) async fn of_the_cluster(table: &mut Table, Large { control_plane, troubles, .. }: &Large) {
    let of = format!("{} pods, {} nodes, {} namespaces", cluster::PODS, cluster::NODES, cluster::NAMESPACES);
    let server = server_of(control_plane).await;
    let connection = Connection::to(&server);
    let arguments = || json!({});

    let said = Said::by(&connection, "find_problems", arguments()).await;
    assert!(said.structure["notRead"].is_null(), "{}", said.text);
    let named: Vec<&Value> =
        said.structure["problems"].as_array().into_iter().flatten().map(|problem| &problem["next"]).collect();
    let is_named = |(namespace, staged): &&(String, Staged)| named.iter().any(|next| is_about(next, namespace, staged));
    let found = troubles.iter().filter(is_named).count();
    table.row(
        &format!("find_problems, {of}, the answer"),
        format!("{found} of {} problems, {} lines in {}", troubles.len(), named.len(), said.bytes().words()),
        "10 in under 4 KB",
        found == troubles.len() && said.bytes().most() < 4096,
    );

    let requests = Requests::of(control_plane, "find_problems", arguments()).await;
    let api = control_plane.client("admin").await;
    let through = async || drop(connection.answer("find_problems", arguments()).await);
    let (through, bare) = in_turn(ROUNDS, through, async || requests.send(&api).await).await;
    table.row(
        &format!("find_problems, {of}, over its {} requests one after the other", requests.count()),
        format!("{:.2}x ({} / {})", through.as_secs_f64() / bare.as_secs_f64(), ms(through), ms(bare)),
        "1.3x",
        through <= bare.mul_f64(1.3),
    );
    drop(server);

    let server = server_of(control_plane).await;
    let connection = Connection::to(&server);
    connection.call("find_problems", json!({ "namespace": "default" })).await;
    let rest = resident(server.id());
    let peak = peak_of(&server, async {
        for _ in 0..LOOKS {
            connection.call("find_problems", arguments()).await;
        }
    });
    let more = peak.await.saturating_sub(rest);
    table.row(&format!("find_problems, {of}, memory over rest"), mb(more), "64 MB", more <= 64_000_000);
}
