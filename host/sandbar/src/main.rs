//! The `sandbar` binary: the commands, and what they put together of the crates beside this one. `docs/architecture.md` is the map.

mod apiservice;
mod cli;
mod labels;
mod rbac;

use std::process::ExitCode;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    cli::run()
}
