//! `sandbar config-schema`.

use std::process::ExitCode;

use super::{Failure, output};

pub(super) fn run() -> Result<ExitCode, Failure> {
    output::text(&serde_json::to_string_pretty(&sandbar_config::schema())?);
    Ok(ExitCode::SUCCESS)
}
