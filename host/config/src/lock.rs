//! `digest` written into the entries of sandbar.yaml, with everything else as it was.

use std::collections::BTreeMap;
use std::path::Path;

use sandbar_registry::Digest;

use super::Config;
use super::places::{Places, Step};

/// Why digests cannot be written into a text by themselves.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is written in a way in which they cannot be added by themselves; add them to the entries of `tools`:\n{0}")]
pub struct NotWritten(String);

/// The text of a valid sandbar.yaml with these digests in the entries of `tools` that have these indices.
pub fn with_digests(text: &str, digests: &BTreeMap<usize, Digest>) -> Result<String, NotWritten> {
    let by_hand = || {
        let lines = digests.iter().map(|(entry, digest)| format!("  entry {}: digest: {digest}", entry + 1));
        NotWritten(lines.collect::<Vec<_>>().join("\n"))
    };
    let written = edited(text, digests).ok_or_else(by_hand)?;
    // Whatever the way in which it is written: it has to be read as what was meant, and nothing else.
    let wanted = Config::parse(text, Path::new("")).map(|mut config| {
        for (entry, digest) in digests {
            config.tools[*entry].digest = Some(*digest);
        }
        config
    });
    match (Config::parse(&written, Path::new("")), wanted) {
        (Ok(found), Ok(wanted)) if format!("{found:?}") == format!("{wanted:?}") => Ok(written),
        _ => Err(by_hand()),
    }
}

fn edited(text: &str, digests: &BTreeMap<usize, Digest>) -> Option<String> {
    let places = Places::of(text)?;
    let config = Config::parse(text, Path::new("")).ok()?;
    let mut edits = Vec::new();
    for (entry, digest) in digests {
        let place = |key| {
            let location = places.find(&[Step::Key("tools"), Step::Entry(*entry), Step::Key(key)]);
            offset(text, location.line(), location.column())
        };
        edits.push(match config.tools.get(*entry)?.digest {
            Some(before) => {
                let (before, from) = (before.to_string(), place("digest")?);
                let at = from + text[from..].lines().next()?.find(&before)?;
                (at..at + before.len(), digest.to_string())
            }
            None => {
                let from = [place("component"), place("script")].into_iter().flatten().max()?;
                let line = text[from..].lines().next()?;
                let end = scalar_end(line)?;
                let rest = line[end..].trim_start();
                if rest.is_empty() || rest.starts_with('#') {
                    let start = text[..from].rfind('\n').map_or(0, |at| at + 1);
                    // The column of the entry's first letter, after `- `.
                    let indent = text[start..from].chars().take_while(|letter| *letter == ' ' || *letter == '-').count();
                    let at = from + line.len();
                    let end = if text[at..].starts_with("\r\n") { "\r\n" } else { "\n" };
                    (at..at, format!("{end}{:indent$}digest: {digest}", ""))
                } else if line.starts_with('"') {
                    // What may be JSON stays JSON.
                    (from + end..from + end, format!(", \"digest\": \"{digest}\""))
                } else {
                    (from + end..from + end, format!(", digest: {digest}"))
                }
            }
        });
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut edited = text.to_owned();
    for (range, new) in edits.into_iter().rev() {
        edited.replace_range(range, &new);
    }
    Some(edited)
}

/// Where a scalar ends that begins a line.
fn scalar_end(line: &str) -> Option<usize> {
    match line.chars().next()? {
        quote @ ('"' | '\'') => line[1..].find(quote).map(|end| end + 2),
        _ => Some(line.find([' ', ',', '}', '\t']).unwrap_or(line.len())),
    }
}

/// Where a line and a column of it begin, both from 1; the column in characters.
fn offset(text: &str, line: u64, column: u64) -> Option<usize> {
    let (line, column) = (usize::try_from(line).ok()?.checked_sub(1)?, usize::try_from(column).ok()?.checked_sub(1)?);
    let start = text.split_inclusive('\n').take(line).map(str::len).sum::<usize>();
    let within = text.get(start..)?.char_indices().nth(column)?.0;
    Some(start + within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locked(text: &str, entries: &[usize]) -> Result<String, NotWritten> {
        let digests = entries.iter().map(|entry| (*entry, Digest::of(entry.to_string().as_bytes()))).collect();
        with_digests(text, &digests)
    }

    #[test]
    fn a_digest_comes_beside_its_component_and_nothing_else_changes() {
        let [first, second] = ["0", "1"].map(|text| Digest::of(text.as_bytes()).to_string());
        let before = Digest::of(b"before").to_string();
        for (text, wanted) in [
            (
                "tools:\n  - component: oci://h/ä:1 # why\n    rules: []\n".replace('ä', "a"),
                format!("tools:\n  - component: oci://h/a:1 # why\n    digest: {first}\n    rules: []\n"),
            ),
            (
                "tools:\n- rules: []\n  component: 'oci://h/a:1'".to_owned(),
                format!("tools:\n- rules: []\n  component: 'oci://h/a:1'\n  digest: {first}"),
            ),
            (
                "tools: [{ component: oci://h/a:1, rules: [] }, { component: \"oci://h/b:1\" }]".to_owned(),
                format!(
                    "tools: [{{ component: oci://h/a:1, digest: {first}, rules: [] }}, {{ component: \"oci://h/b:1\", \"digest\": \"{second}\" }}]"
                ),
            ),
            (
                format!("tools:\n  - component: oci://h/a:1\n    digest: \"{before}\" # old\n  - component: oci://h/b:1\n"),
                format!(
                    "tools:\n  - component: oci://h/a:1\n    digest: \"{first}\" # old\n  - component: oci://h/b:1\n    digest: {second}\n"
                ),
            ),
        ] {
            let entries: &[usize] = if wanted.contains(&second) { &[0, 1] } else { &[0] };
            assert_eq!(locked(&text, entries).as_deref(), Ok(&*wanted), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_edited_is_told_by_hand() {
        for text in ["tools: [{ component: oci://h/a:1\n }]", "tools:\n  - component:\n      >-\n      oci://h/a:1\n"] {
            let words = locked(text, &[0]).expect_err(text).to_string();
            assert!(words.contains("entry 1: digest: sha256:"), "{words}");
        }
    }
}
