//! The documents of a YAML file.

use serde::de::DeserializeSeed as _;

use super::Document;
use super::parsing::{Parsing, within};
use super::tree::DEPTH;
use super::whole::Whole;
use crate::room::Room;

/// Aliases in one document. Tools write none; a manifest written by hand may have some.
pub(super) const ALIASES: usize = 100;

pub(super) fn each_yaml(text: &str, room: &mut Room, mut take: impl FnMut(Document, &mut Room)) -> Result<(), String> {
    for (first_line, document) in yaml_documents(text) {
        let read = |parsing: &mut Parsing| {
            serde_saphyr::with_deserializer_from_str_with_options(document, yaml_options(), |parser| {
                Whole(parsing).deserialize(parser)
            })
        };
        let read = within(room, read).map_err(|(error, why)| {
            let (line, column) = error.location().map_or((0, 0), |at| (at.line() as usize, at.column()));
            let why = why.unwrap_or_else(|| match error.without_snippet() {
                serde_saphyr::Error::AliasReplayLimitExceeded { .. }
                | serde_saphyr::Error::AliasExpansionLimitExceeded { .. }
                | serde_saphyr::Error::AliasReplayStackDepthExceeded { .. } => {
                    "its aliases stand for too much; write out what they stand for".to_owned()
                }
                serde_saphyr::Error::Budget { .. } => {
                    format!("it has more than {ALIASES} anchors or aliases, or more than {DEPTH} values inside of each other")
                }
                serde_saphyr::Error::DuplicateMappingKey { .. } => "a key stands twice in one map".to_owned(),
                _ => format!("column {column} is the first that cannot be read"),
            });
            format!("line {}: not YAML: {why}", first_line + line)
        });
        take(read?, room);
    }
    Ok(())
}

/// The documents between lines that begin with `---`, each with the number of lines before it. Such a line cannot be anything
/// else in YAML, and Kubernetes' own reader splits there, too.
pub(super) fn yaml_documents(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let (mut line, mut start) = (0, Some(0));
    std::iter::from_fn(move || {
        let from = start?;
        let end = text[from..].match_indices("\n---").map(|(at, _)| from + at + 1).find(|&at| is_marker(&text[at..]));
        start = end;
        let document = &text[from..end.unwrap_or(text.len())];
        let before = line;
        line += document.bytes().filter(|byte| *byte == b'\n').count();
        Some((before, document))
    })
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Options for YAML as kubectl writes it. A file's length is bounded, and parsed values by [`Tree`](super::tree::Tree); the parser's own limits,
/// each named here, bound what else a document could make it do.
fn yaml_options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // As in YAML 1.2, `yes`, `on` and the like are text.
        strict_booleans: true,
        with_snippet: false,
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 10_000,
            max_replay_stack_depth: 8,
            max_alias_expansions_per_anchor: ALIASES,
        },
        budget: serde_saphyr::budget! {
            max_aliases: ALIASES,
            max_anchors: ALIASES,
            max_merge_keys: ALIASES,
            max_recorded_anchor_events: 10_000,
            max_recorded_anchor_bytes: 1 << 20,
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            simple_key_max_lookahead: 1024,
            max_inclusion_depth: 0,
            max_documents: 1,
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
            max_total_comment_bytes: usize::MAX,
            max_buffered_comment_events: 32,
        },
    }
}
