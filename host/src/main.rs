//! The `sandbar` binary. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbar::cli::run()
}
