//! An assistant that knows nothing but what the tools tell it: it asks what is wrong, and then what each answer names next.

use sandbar_tests::control_plane::ControlPlane;
use sandbar_tests::namespace::Namespace;
use sandbar_tests::troubles::{Staged, Trouble};
use serde_json::json;

use super::{Bytes, Said, is_about, server_of};
use crate::table::Table;
use crate::tools::Connection;

const TROUBLES: [Trouble; 8] = [
    Trouble::Image,
    Trouble::CrashLoop,
    Trouble::OutOfMemory,
    Trouble::Claim,
    Trouble::Probe,
    Trouble::Quota,
    Trouble::Service,
    Trouble::Job,
];

/// Calls that it may make, and bytes that it may read.
const CALLS: usize = TROUBLES.len() + 1;
const READ: usize = 8 * 1024;

pub(super) async fn finds_every_cause(table: &mut Table) {
    let control_plane = ControlPlane::start(&[]);
    let mut staged = Vec::new();
    for trouble in TROUBLES {
        let namespace = Namespace::fresh_in(&control_plane, "team").await;
        let at = trouble.stage(&namespace).await;
        staged.push((namespace.name().to_owned(), at));
    }
    let server = server_of(&control_plane).await;
    let connection = Connection::to(&server);

    let first = Said::by(&connection, "find_problems", json!({})).await;
    let mut read = first.bytes();
    let mut explained = Vec::new();
    let named = first.structure["problems"].as_array().cloned().unwrap_or_default();
    for next in named.into_iter().map(|problem| problem["next"].clone()).take(CALLS - 1) {
        let said = Said::by(&connection, "explain", next.clone()).await;
        read += said.bytes();
        explained.push((next, said));
    }
    let is_found = |(namespace, staged): &&(String, Staged)| {
        explained.iter().any(|(next, said)| is_about(next, namespace, staged) && said.tells(staged))
    };
    let found = staged.iter().filter(is_found).count();
    table.row(
        "an assistant with these tools alone: causes of faults in eight namespaces",
        format!("{found} of {} in {} calls and {}", staged.len(), explained.len() + 1, Bytes::words(read)),
        "8 in 9 calls and 8 KB",
        found == staged.len() && read.most() <= READ,
    );
}

impl Said {
    /// Whether a model reads the cause, whichever form it is shown.
    fn tells(&self, Staged { words, .. }: &Staged) -> bool {
        let structure = self.structure.to_string();
        words.iter().all(|word| self.text.contains(word) && structure.contains(word))
    }
}
