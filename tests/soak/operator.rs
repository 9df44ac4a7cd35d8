//! What an operator does while calls run: changes the configuration, breaks it and mends it, and changes the key of sessions.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sandbar_tests::sandbar::Server;

use crate::callers::Tally;
use crate::eventually;
use crate::scrape::Scrape;

/// Between two changes of the configuration.
const CONFIGURED: Duration = Duration::from_secs(10);

/// Between two steps of changing the key: time for the file to be read.
const KEYED: Duration = Duration::from_secs(7);

/// One change in so many is a mistake.
const MISTAKES: u64 = 5;

/// The sandbar.yaml, of which several have a part each.
pub(crate) struct Configuration(Mutex<Parts>);

struct Parts {
    /// Keys that stay.
    settings: String,
    /// The entries of `tools` that stay.
    tools: String,
    /// One more.
    component: String,
    /// How often it was changed.
    turn: u64,
    /// The last change was a mistake. It stays until the next, whoever changes something else meanwhile.
    is_mistaken: bool,
}

impl Configuration {
    pub(crate) fn new(settings: String, tools: String) -> Self {
        Self(Mutex::new(Parts { settings, tools, component: String::new(), turn: 0, is_mistaken: false }))
    }

    /// All of it.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).text()
    }

    /// Has another entry beside those that stay.
    pub(crate) fn component(&self, server: &Server, entry: String) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.component = entry;
        server.configure(&parts.text());
    }

    /// Changes what nobody is stopped by; true where it was made a mistake instead, which the next turn mends.
    fn turn(&self, server: &Server) -> bool {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        parts.turn += 1;
        parts.is_mistaken = parts.turn.is_multiple_of(MISTAKES);
        server.configure(&parts.text());
        parts.is_mistaken
    }
}

impl Parts {
    fn text(&self) -> String {
        let Self { settings, tools, component, turn, is_mistaken } = self;
        let mistake = if *is_mistaken { "nonsense: true\n" } else { "" };
        // More than anybody reports.
        format!("{settings}{mistake}limits: {{ progress: {} }}\ntools:\n{tools}{component}", 1_000 + turn % 7)
    }
}

/// Changes the configuration time after time, and waits until the server has taken it up, or has refused to.
pub(crate) async fn configure(
    end: Instant,
    server: Arc<Server>,
    port: SocketAddr,
    configuration: Arc<Configuration>,
    tally: Tally,
) {
    while Instant::now() + CONFIGURED < end {
        tokio::time::sleep(CONFIGURED).await;
        let before = Scrape::of(&server, port).await;
        let outcome = if configuration.turn(&server) { "refused" } else { "applied" };
        eventually(&format!("a changed configuration is {outcome}"), || async {
            Scrape::of(&server, port).await.reloads(outcome) > before.reloads(outcome)
        })
        .await;
        tally.reloads.fetch_add(1, Ordering::Relaxed);
    }
}

/// The file of keys that sessions are signed with.
pub(crate) struct Keys(PathBuf);

impl Keys {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        let keys = Self(folder.join("session-keys"));
        keys.write(&[0]);
        keys
    }

    pub(crate) fn file(&self) -> &Path {
        &self.0
    }

    /// These keys, by number: the first signs.
    fn write(&self, numbers: &[u64]) {
        let text: String = numbers.iter().map(|number| format!("key number {number} of many\n")).collect();
        let next = self.0.with_extension("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, &self.0).unwrap();
    }

    /// Changes the key time after time: the new one beside the old, before it, alone.
    pub(crate) async fn change_until(self, end: Instant, tally: Tally) {
        for number in 0.. {
            for keys in [&[number, number + 1][..], &[number + 1, number], &[number + 1]] {
                if Instant::now() + KEYED > end {
                    return;
                }
                self.write(keys);
                tokio::time::sleep(KEYED).await;
            }
            tally.keys.fetch_add(1, Ordering::Relaxed);
        }
    }
}
