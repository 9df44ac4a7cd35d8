//! `sandbar compile-process`, which nobody types: the process in which the server has a component compiled.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use sandbar_sandbox::{CompileLimits, run_compiler};

use super::Failure;

#[derive(Args)]
pub(super) struct Arguments {
    /// Where to leave what the components on standard input are compiled to
    folder: PathBuf,
    /// Bytes of memory
    memory: Option<u64>,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    run_compiler(&arguments.folder, CompileLimits { memory: arguments.memory })?;
    Ok(ExitCode::SUCCESS)
}
