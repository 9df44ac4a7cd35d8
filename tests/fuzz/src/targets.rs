//! The targets, by what is parsed.

mod answers;
mod certificates;
mod components;
mod guests;
mod lists;
mod manifests;
mod messages;
mod registries;
mod requests;
mod selections;
mod texts;
mod tokens;

use crate::Target;

/// All of them.
pub const TARGETS: &[Target] = &[
    Target { name: "message", run: messages::message, seeds: messages::seeds, executions: 5000 },
    Target { name: "component", run: components::component, seeds: components::seeds, executions: 300 },
    Target { name: "manifest", run: manifests::manifest, seeds: manifests::manifest_seeds, executions: 2000 },
    Target { name: "arguments", run: manifests::arguments, seeds: manifests::arguments_seeds, executions: 1000 },
    Target { name: "result", run: manifests::result, seeds: manifests::result_seeds, executions: 4000 },
    Target { name: "configuration", run: texts::configuration, seeds: texts::configuration_seeds, executions: 1000 },
    Target { name: "clean", run: texts::clean_text, seeds: texts::clean_seeds, executions: 10_000 },
    Target { name: "snapshot", run: texts::snapshot, seeds: texts::snapshot_seeds, executions: 500 },
    Target { name: "object", run: answers::object, seeds: answers::object_seeds, executions: 2000 },
    Target { name: "list", run: answers::list, seeds: answers::list_seeds, executions: 1500 },
    Target { name: "log", run: answers::log, seeds: answers::log_seeds, executions: 1500 },
    Target { name: "status", run: answers::status, seeds: answers::status_seeds, executions: 2000 },
    Target { name: "discovery", run: answers::discovery, seeds: answers::discovery_seeds, executions: 1500 },
    Target { name: "request", run: requests::request, seeds: requests::request_seeds, executions: 2000 },
    Target { name: "token", run: tokens::token, seeds: tokens::token_seeds, executions: 3000 },
    Target { name: "cursor", run: requests::cursor, seeds: requests::cursor_seeds, executions: 1000 },
    Target { name: "table", run: lists::table, seeds: lists::table_seeds, executions: 1500 },
    Target { name: "metadata", run: lists::metadata, seeds: lists::metadata_seeds, executions: 1500 },
    Target { name: "many", run: lists::many, seeds: lists::many_seeds, executions: 1000 },
    Target { name: "kinds", run: lists::kinds, seeds: lists::kinds_seeds, executions: 1500 },
    Target { name: "certificate", run: certificates::certificate, seeds: certificates::seeds, executions: 1000 },
    Target { name: "word", run: guests::word, seeds: guests::word_seeds, executions: 3000 },
    Target { name: "selector", run: guests::selector, seeds: guests::selector_seeds, executions: 5000 },
    Target { name: "selection", run: selections::selection, seeds: selections::seeds, executions: 5000 },
    Target { name: "reference", run: registries::reference, seeds: registries::reference_seeds, executions: 5000 },
    Target { name: "artifact", run: registries::artifact, seeds: registries::artifact_seeds, executions: 5000 },
    Target { name: "layer", run: registries::layer, seeds: registries::layer_seeds, executions: 3000 },
    Target { name: "signature", run: registries::signature, seeds: registries::signature_seeds, executions: 1000 },
];
