//! What the tools of the pack kubernetes cost, and what a model gets for it, on clusters of their own.

mod assistant;
mod cluster;
mod lists;
mod logs;
mod problems;
mod recorder;

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::sandbar::{Builder, Server};
use sandbar_tests::troubles::Staged;
use serde_json::Value;

use crate::load::NO_RATE_LIMIT;
use crate::table::Table;
use crate::tools::Connection;

pub(crate) async fn all(table: &mut Table) {
    assistant::finds_every_cause(table).await;
    let cluster = cluster::Large::start().await;
    lists::of_tools(table, &cluster).await;
    lists::of_pods(table, &cluster).await;
    logs::of_many_pods(table, &cluster).await;
    problems::of_the_cluster(table, &cluster).await;
}

/// A server of this pack that is yet to be told its cluster.
fn server() -> Builder {
    Server::builder().config("bundled: { packs: [kubernetes] }\n").env(NO_RATE_LIMIT.0, NO_RATE_LIMIT.1)
}

/// A server of this pack for a control plane.
async fn server_of(control_plane: &ControlPlane) -> Server {
    server().of(control_plane, "admin").start().await
}

/// Whether arguments of `explain` name what was staged in a namespace.
fn is_about(next: &Value, namespace: &str, Staged { kind, name, .. }: &Staged) -> bool {
    next["namespace"] == namespace && next["kind"] == *kind && next["name"] == *name
}

/// What a tool said: the text and the structure. A client shows its model one of them.
struct Said {
    text: String,
    structure: Value,
}

impl Said {
    async fn by(connection: &Connection, tool: &str, arguments: Value) -> Self {
        let mut result = connection.result(tool, arguments.clone()).await;
        assert_ne!(result["isError"], true, "{tool} {arguments}: {result}");
        let blocks = result["content"].as_array().unwrap_or_else(|| panic!("{tool} {arguments}: {result}"));
        let text: Vec<&str> = blocks.iter().filter_map(|block| block["text"].as_str()).collect();
        let text = text.join("\n");
        Self { text, structure: result["structuredContent"].take() }
    }

    /// Bytes of either form.
    fn bytes(&self) -> Bytes {
        Bytes { text: self.text.len(), structure: self.structure.to_string().len() }
    }
}

/// What a model reads, in bytes, if it is shown the text, and if it is shown the structure.
#[derive(Clone, Copy, Default)]
struct Bytes {
    text: usize,
    structure: usize,
}

impl Bytes {
    /// Of the form that has more.
    fn most(self) -> usize {
        self.text.max(self.structure)
    }

    /// For a cell.
    fn words(self) -> String {
        format!("{} bytes of text, {} as JSON", self.text, self.structure)
    }
}

impl std::ops::AddAssign for Bytes {
    fn add_assign(&mut self, other: Self) {
        self.text += other.text;
        self.structure += other.structure;
    }
}
