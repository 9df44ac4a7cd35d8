//! Why a component is not served.

use std::sync::Arc;
use std::time::Duration;

use sandbar_registry::NotLoaded;
use sandbar_sandbox::{CallError, LoadError};
use tokio::task::JoinError;

use super::NameTaken;
use super::grant::Missing;
use super::integrity::NotTaken;
use super::manifest::ManifestError;
use super::source::Source;

/// The time that a component has for its manifest, whatever its calls have. It is a text that most components have ready.
pub(super) const MANIFEST_TIME: Duration = Duration::from_secs(2);

/// The same of one that is in the binary.
pub(super) const MANIFEST_TIME_OF_OURS: Duration = Duration::from_secs(60);

/// The same in time of a processor.
pub(super) const MANIFEST_CPU: Duration = Duration::from_secs(1);

/// A component that is not served, and why.
#[derive(Debug)]
pub struct Problem {
    /// Where it comes from.
    pub source: Source,
    /// Why it is not served.
    pub reason: Reason,
    /// Whether the one that was loaded from there before is still served.
    pub kept: bool,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.source)?;
        if self.kept {
            write!(f, "the one that was loaded before stays in force: ")?;
        }
        write!(f, "{}", self.reason)
    }
}

/// Why a component is not served. Worded for the operator.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] std::io::Error),
    /// A registry has not got it, or it is not signed as it has to be.
    #[error(transparent)]
    Registry(#[from] NotLoaded),
    /// It was fetched, and is not in the cache any more.
    #[error(
        "it was fetched, and the cache has not kept it: is there room on the disk, and are all components together no more than the cache keeps? {0}"
    )]
    NotKept(sandbar_registry::Error),
    /// It is not what it has to be.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// It is not a component that this host can run.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Its manifest function failed.
    #[error("{}", without_manifest(.0))]
    Call(#[from] CallError),
    /// Its manifest is malformed.
    #[error("{0}")]
    Manifest(Arc<ManifestError>),
    /// It asks for more than it is granted. How the rest is granted is for whoever knows the configuration to say.
    #[error("it asks for more than it is granted")]
    NotGranted(Missing),
    /// An option is set that the component does not have, or to a value that it cannot use.
    #[error("its `settings` in sandbar.yaml do not fit: {0}")]
    Settings(String),
    /// None of the clusters that it may look into is served.
    #[error(
        "none of the clusters that it may look into is one that this server has connected to: a changed `clusters` needs a restart"
    )]
    NoCluster,
    /// A tool has an argument of its own where that of the host belongs.
    #[error(
        "its tool {0:?} has no room for the argument `cluster`, by which callers choose one of several clusters here: it has one of that name, or \
         its input schema says more of its properties than which there are"
    )]
    ClusterArgument(String),
    /// Another component serves something of that name.
    #[error(transparent)]
    NameTaken(#[from] NameTaken),
    /// It is served as soon as it is there.
    #[error("it is on its way from its registry, and served when it is there")]
    Fetching,
    /// It is served as soon as it is compiled.
    #[error("it is being compiled, and served when that is done")]
    Compiling,
    /// It is served as soon as it has said what it is.
    #[error("it has not said yet which tools it has, and is served when that is done")]
    Asked,
    /// The host failed.
    #[error("the host failed while it loaded the component: {0}")]
    Host(String),
}

impl From<JoinError> for Reason {
    fn from(failure: JoinError) -> Self {
        Self::Host(failure.to_string())
    }
}

impl Reason {
    /// Whether there is no component any more, rather than one that cannot be served.
    pub(super) fn is_absence(&self) -> bool {
        matches!(self, Self::Read(error) if error.kind() == std::io::ErrorKind::NotFound)
    }

    /// Whether nothing is wrong, and it takes its time.
    pub fn is_compiling(&self) -> bool {
        matches!(self, Self::Fetching | Self::Compiling | Self::Asked)
    }

    /// Whether the failure is transient: the server was busy when the manifest was requested.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Call(CallError::Busy { .. } | CallError::QueueBusy { .. }))
    }
}

/// Why a component has not said its manifest. What is wrong with a script has nothing to do with how long that may take.
fn without_manifest(error: &CallError) -> String {
    let (time, cpu) = (MANIFEST_TIME.as_secs(), MANIFEST_CPU.as_secs());
    match error {
        CallError::Script(_) => error.to_string(),
        _ => {
            let words = error.to_string();
            // That is advice for a model.
            let words = words.strip_suffix("; narrow the query").unwrap_or(&words);
            format!(
                "its manifest cannot be had: {words} (one that is not bundled has {time} s for that, and {cpu} s of a processor, at most)"
            )
        }
    }
}
