//! `sandbar config-schema`.

use std::process::ExitCode;

use super::{Failure, output};
use crate::config;

pub(super) fn run() -> Result<ExitCode, Failure> {
    output::json(&config::schema())?;
    Ok(ExitCode::SUCCESS)
}
