//! Printing: data to stdout, words to stderr.

use anyhow::Context as _;
use clap::ValueEnum;
use sandbar_text::clean;
use serde::Serialize;
use serde_json::Value;

use super::log;

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For a person.
    Text,
    /// For a person: lists as tables, where there are some.
    Table,
    /// For a program.
    Json,
    /// For a program, or a file.
    Yaml,
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

/// Prints a value as JSON or YAML; as `other` says where it is for a person.
pub(super) fn value(format: Format, value: impl FnOnce() -> Value, other: impl FnOnce() -> String) -> anyhow::Result<()> {
    match format {
        Format::Text | Format::Table => text(&other()),
        Format::Json => text(&serde_json::to_string_pretty(&value())?),
        Format::Yaml => text(&yaml(&[value()])?),
    }
    Ok(())
}

/// Objects as YAML, each as a document.
pub(super) fn yaml(objects: &[impl Serialize]) -> anyhow::Result<String> {
    let documents = objects.iter().map(serde_saphyr::to_string).collect::<Result<Vec<_>, _>>();
    Ok(documents.context("the objects cannot be written as YAML")?.join("---\n"))
}

/// Says what is wrong.
pub(super) fn error(message: &str) {
    log::say(&format!("sandbar: {message}"));
}

/// Says something to the person at the terminal.
pub(super) fn say(message: &str) {
    log::say(message);
}
