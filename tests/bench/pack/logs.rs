//! `search_logs` over all pods of a workload, against their logs one after the other.

use serde_json::{Value, json};

use super::cluster::{self, Large};
use super::recorder::Requests;
use super::{Said, server_of};
use crate::table::{Table, in_turn, ms};
use crate::tools::Connection;

/// Calls on each side.
const ROUNDS: usize = 12;

pub(super) async fn of_many_pods(table: &mut Table, Large { control_plane, logged, .. }: &Large) {
    let server = server_of(control_plane).await;
    let connection = Connection::to(&server);
    let api = control_plane.client("admin").await;
    let asked = |more: Value| {
        let mut arguments = json!({ "namespace": logged.name(), "labels": "app=logged" });
        sandbar_tests::namespace::merge(&mut arguments, more);
        arguments
    };
    for (what, arguments) in
        [("all lines", asked(json!({}))), ("lines that match", asked(json!({ "matching": cluster::MATCHING })))]
    {
        let said = Said::by(&connection, "search_logs", arguments.clone()).await;
        assert_eq!(said.structure["logsRead"], cluster::LOGS, "{}", said.text);
        let lines = &said.structure["lines"];
        let requests = Requests::of(control_plane, "search_logs", arguments.clone()).await.to("/log");
        assert_eq!(requests.count(), cluster::LOGS);
        let through = async || drop(connection.answer("search_logs", arguments.clone()).await);
        let (through, bare) = in_turn(ROUNDS, through, async || requests.send(&api).await).await;
        table.row(
            &format!(
                "search_logs, {what}, {} logs of {} lines, over the logs one after the other",
                cluster::LOGS,
                cluster::LINES
            ),
            format!("{:.2}x ({} / {}), {lines} lines", through.as_secs_f64() / bare.as_secs_f64(), ms(through), ms(bare)),
            "0.5x",
            through <= bare.mul_f64(0.5),
        );
    }
}
