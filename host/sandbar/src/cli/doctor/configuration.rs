//! Whether the configuration can be read and is valid, flags and variables included.

use clap::CommandFactory as _;
use sandbar_config::{Config, ConfigError};

use super::finding::Finding;
use crate::cli::{Cli, environment, serve, words};

/// The configuration, if there is one that a server could be started with, and what is to be said of it.
pub(super) fn look(arguments: &serve::Arguments) -> (Option<Config>, Vec<Finding>) {
    let unread = environment::unread(&Cli::command(), std::env::vars_os());
    let mut findings: Vec<Finding> = unread.into_iter().map(Finding::warn).collect();
    let text = arguments.common.text().map_err(anyhow::Error::from);
    match text.and_then(|text| arguments.config_of(text.as_deref())) {
        Ok(config) => {
            findings.push(match config.check_serving() {
                Ok(()) => Finding::ok(match &arguments.common.config {
                    Some(file) => format!("{} is valid", file.display()),
                    None => "no sandbar.yaml is named, so the defaults and the flags count".to_owned(),
                }),
                Err(words) => Finding::fail(words),
            });
            (Some(config), findings)
        }
        Err(error) => {
            findings.extend(mistakes(&error).into_iter().map(Finding::fail));
            (None, findings)
        }
    }
}

/// Each mistake by itself, as `serve` has them.
fn mistakes(error: &anyhow::Error) -> Vec<String> {
    match error.downcast_ref() {
        Some(ConfigError::Invalid { path, mistakes }) => {
            mistakes.iter().map(|mistake| format!("{}:{mistake}", path.display())).collect()
        }
        _ => vec![words(error)],
    }
}
