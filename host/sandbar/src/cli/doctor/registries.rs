//! Whether the registries that components come from answer, to these credentials.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use sandbar_catalog::Source;
use sandbar_registry::Reference;
use tokio::task::block_in_place;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::registries::{Asker, registries};
use crate::cli::words;

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let config = &subject.config;
    // One of each repository, since credentials can be those of one.
    let named: BTreeMap<String, &Reference> = config
        .tools
        .iter()
        .filter_map(|tool| match &tool.component {
            Source::Registry(reference) => Some((reference.repository.to_string(), reference)),
            Source::File(_) | Source::Bundled(_) => None,
        })
        .collect();
    if named.is_empty() {
        return vec![Finding::ok("no component comes from one")];
    }
    if !config.registries.pull {
        return vec![Finding::ok("none is asked, as `registries.pull: false` says: the cache has to have everything")];
    }
    // Without a cache, which would answer in their place.
    let asked = match block_in_place(|| registries(&config.registries, None, Asker::Server)) {
        Ok(asked) => asked,
        Err(error) => return vec![Finding::fail(words(&error))],
    };
    let ask = async |(repository, reference): (String, &Reference)| match asked.ask(reference).await {
        Ok(()) => Finding::ok(format!("{repository} answers")),
        Err(error) => Finding::fail(error.to_string()),
    };
    join_all(named.into_iter().map(ask)).await
}
