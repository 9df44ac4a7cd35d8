//! What the whole-system tests stand on: a real control plane, the real `sandbar` binary, and an MCP client of our own.
//!
//! Everything here waits for a condition, never for a time: [`PATIENCE`] only turns what hangs into a failure.

use std::sync::LazyLock;
use std::time::Duration;

pub mod bombs;
mod cargo;
pub mod clients;
pub mod collector;
pub mod components;
pub mod control_plane;
pub mod cri_log;
pub mod events;
pub mod extension;
pub mod fake_api;
pub mod golden;
pub mod http;
pub mod https;
pub mod issuer;
pub mod mcp;
pub mod namespace;
pub mod process;
pub mod proxy;
pub mod raw;
pub mod registry;
pub mod replicas;
pub mod sandbar;
pub mod stdio;
pub mod text;
pub mod tls_api;
pub mod troubles;
pub mod wire;

/// The tools that are served by default, in the order in which they are listed: one for each package of guest-tools/coder.
pub static TOOLS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest-tools/coder");
    let entries = std::fs::read_dir(folder).expect("the guest tools").map(|entry| entry.expect("one").path());
    let packages = entries.filter(|path| path.join("Cargo.toml").exists());
    let names = packages.map(|path| path.file_name().expect("a name").to_str().expect("UTF-8").replace('-', "_"));
    let mut tools: Vec<&str> = names.map(|name| &*name.leak()).collect();
    tools.sort_unstable();
    tools
});

/// How long anything may take. Far more than it takes on a busy machine with two cores: what takes a compiler too much is told after 60 s of
/// processor at the lowest priority, with all other tests beside it.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// Waits for a condition that nothing announces.
///
/// # Panics
/// When it does not hold within [`PATIENCE`]; `what` says which it was.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut condition: impl FnMut() -> F) -> T {
    /// Between two looks.
    const INTERVAL: Duration = Duration::from_millis(20);
    let waiting = async {
        loop {
            if let Some(value) = condition().await {
                return value;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    in_time(what, waiting).await
}

/// Waits for a future.
///
/// # Panics
/// When it takes longer than [`PATIENCE`]; `what` says which it was.
pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: nothing within {PATIENCE:?}"),
    }
}
