//! Whether spans of calls can be sent, and whether the collector takes them.

use std::sync::Arc;

use sandbar_traces::Settings;
use tokio::task::block_in_place;

use super::finding::Finding;
use super::subject::Subject;
use crate::cli::traces::{Wanted, wanted};

pub(super) async fn look(subject: Arc<Subject>) -> Vec<Finding> {
    let config = subject.config.traces.as_ref();
    let Some(Wanted { settings, environment }) = wanted(config) else {
        return vec![Finding::ok("calls are not traced: no collector is configured")];
    };
    if let Some(why) = environment.off {
        return vec![Finding::warn(format!("calls are not traced: {why}"))];
    }
    let found = match settings {
        Ok(settings) => of(&subject, &settings).await,
        Err(why) => Err(why),
    };
    // What is wrong with the variables, which are those of many programs, keeps no server from starting.
    let wrong = |why| if config.is_some() { Finding::fail(why) } else { Finding::warn(format!("calls are not traced: {why}")) };
    let ignored = environment.ignored.into_iter().map(Finding::warn);
    ignored.chain([found.unwrap_or_else(wrong)]).collect()
}

/// What is found of a collector, or what keeps spans from being sent there at all.
async fn of(subject: &Subject, settings: &Settings) -> Result<Finding, String> {
    let absent = |file: &&std::path::PathBuf| subject.is_offline && !file.exists();
    if let Some(file) = settings.headers_file.iter().chain(&settings.authorities_file).find(absent) {
        return Ok(Finding::warn(format!("{} is not there; it was not looked at", file.display())));
    }
    block_in_place(|| settings.check())?;
    let address = &settings.address;
    if subject.is_offline {
        return Ok(Finding::ok(format!("spans of calls are sent to {address}, which was not asked")));
    }
    Ok(match settings.reach().await {
        Ok(()) => Finding::ok(format!("{address} takes spans of calls")),
        Err(why) => Finding::warn(format!("spans of calls would be lost: {why}")),
    })
}
