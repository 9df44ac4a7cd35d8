//! `sandbar config-schema`.

use std::process::ExitCode;

use super::{Failure, output};

pub(super) fn run() -> Result<ExitCode, Failure> {
    output::json(&sandbar_config::schema())?;
    Ok(ExitCode::SUCCESS)
}
