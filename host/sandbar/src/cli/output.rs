//! Printing: data to stdout, words to stderr.

use anyhow::Context as _;
use clap::ValueEnum;
use sandbar_text::clean;
use serde::Serialize;

use super::log;

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person.
    Text,
    /// For a program.
    Json,
}

/// Prints text with a line break at its end, and without what a terminal would obey: it may quote a component or the cluster. A reader
/// that has gone away, such as `head`, is no error.
pub(super) fn text(text: &str) {
    use std::io::Write;
    let text = clean(text);
    let mut stdout = std::io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes());
    if !text.ends_with('\n') {
        let _ = stdout.write_all(b"\n");
    }
    let _ = stdout.flush();
}

/// Prints a value as JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    text(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints objects as YAML, each as a document.
pub(super) fn yaml(objects: &[impl Serialize]) -> anyhow::Result<()> {
    let documents = objects.iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>();
    text(&documents.context("the objects cannot be written as YAML")?.join("---\n"));
    Ok(())
}

/// Says what is wrong.
pub(super) fn error(message: &str) {
    log::say(&format!("sandbar: {message}"));
}

/// Says something to the person at the terminal.
pub(super) fn say(message: &str) {
    log::say(message);
}
