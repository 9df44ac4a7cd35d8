//! What a server shows people who run it, as one web page: what is loaded, asked for, granted and refused, the calls of the last hour, the
//! last failures without their contents, and what is wrong with the configuration.
//!
//! `calls` is told of what ends, and remembers an `hour` of it, a minute at a time; `served` is what else the page is told, and `html`
//! writes it.
//!
//! Invariant: whatever others wrote is escaped, bounded and isolated where it is written; nothing that a call said, read or was called with
//! is here; and no page is longer than [`PAGE_BYTES`]. Nothing in it runs, and nothing is asked for elsewhere.

mod calls;
mod failures;
mod hour;
mod html;
mod served;
#[cfg(test)]
mod tests;

use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sandbar_catalog::{EndedCall, Observer};
use sha2::{Digest as _, Sha256};

use self::calls::LastCalls;
pub use self::served::{Cluster, ClusterState, Component, Granted, Problem, ProblemState, Right, Server, Tool};

/// Bytes of a page: it is read on a phone, through somebody's tunnel.
pub const PAGE_BYTES: usize = 100_000;

/// The style sheet, which is in the page.
const STYLE: &str = include_str!("style.css");

/// A small picture for the tab, in the page as well: without one browsers ask for another file.
const ICON: &str = concat!(
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='4' ",
    "fill='%230b6e75'/%3E%3Cpath d='M2 10q3-4 6-1.500t6-2.500' fill='none' stroke='%23fff' stroke-width='2'/%3E%3C/svg%3E"
);

/// What a browser is told about the page: it has its style and its picture, and nothing else may be loaded, run, sent or put in a frame.
pub fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let style = STANDARD.encode(Sha256::digest(STYLE));
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; form-action 'none'; \
             frame-ancestors 'none'"
        )
    });
    &POLICY
}

/// What the page is made of.
pub struct Page {
    started: (Instant, SystemTime),
    calls: LastCalls,
    told: Mutex<Told>,
}

/// What was said last.
#[derive(Clone, Default)]
struct Told {
    components: Arc<[Component]>,
    problems: Arc<[Problem]>,
    notices: Arc<[String]>,
    /// Why sandbar.yaml as it is now is not what is in force, and since when.
    refused: Option<(Arc<str>, SystemTime)>,
}

impl Default for Page {
    /// One of a server that starts now.
    fn default() -> Self {
        Self { started: (Instant::now(), SystemTime::now()), calls: LastCalls::default(), told: Mutex::default() }
    }
}

impl Page {
    /// From now on these are served. Said before the first call of one ends.
    pub fn serves(&self, components: Vec<Component>) {
        self.calls.serves(&components);
        self.told().components = components.into();
    }

    /// Sets the components that cannot be served in their current version, and further notices for the operator.
    pub fn problems(&self, problems: Vec<Problem>, notices: Vec<String>) {
        let mut told = self.told();
        (told.problems, told.notices) = (problems.into(), notices.into());
    }

    /// Why sandbar.yaml as it is now is not what is in force; none where it is.
    pub fn refused(&self, why: Option<&str>) {
        let refused = &mut self.told().refused;
        let since = refused.as_ref().map_or_else(SystemTime::now, |(_, since)| *since);
        *refused = why.map(|why| (why.into(), since));
    }

    /// The page of a server that is like this.
    pub fn html(&self, server: &Server) -> String {
        let told = self.told().clone();
        html::page(&html::View {
            server,
            told: &told,
            calls: &self.calls,
            started: self.started.1,
            up: self.started.0.elapsed(),
            now: SystemTime::now(),
        })
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        // Each of it is replaced as a whole, so a panic elsewhere leaves nothing broken.
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Page {
    fn ended(&self, call: &EndedCall<'_>) {
        self.calls.ended(calls::minutes(self.started.0.elapsed()), call);
    }
}
