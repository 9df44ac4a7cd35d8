//! Cargo, run by a test that cargo runs.

use std::process::Command;

/// What cargo tells the program that it runs about that program's package. Some build scripts (ring's) look at it, so that a cargo
/// which inherits it takes minutes to build again what is built already, and so does the next one by hand.
const OF_THE_CALLER: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"];

/// The cargo that runs the tests, as from a shell.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    for (name, _) in std::env::vars_os() {
        if OF_THE_CALLER.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            cargo.env_remove(name);
        }
    }
    cargo
}
