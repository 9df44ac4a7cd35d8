//! The `sandbar` binary: the commands, and what they put together of the crates beside this one. `docs/architecture.md` is the map.

mod cli;
mod rbac;

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::run()
}
