//! What the page is told of a server: plain data, which whoever puts the server together makes of what there is.

use std::sync::Arc;
use std::time::Duration;

/// A component that is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Component {
    /// The name that stands for it everywhere.
    pub name: Arc<str>,
    /// What sort of place it comes from: `script` for example.
    pub kind: String,
    /// Where it comes from.
    pub source: String,
    /// The SHA-256 of its bytes, in hex.
    pub digest: Arc<str>,
    /// Who has signed it, as far as that was asked for.
    pub signers: Vec<String>,
    /// Its tools.
    pub tools: Vec<Tool>,
    /// How many prompts it has, and how many resources and templates.
    pub beside_tools: (usize, usize),
    /// What it asks for against what it is granted: one entry for each cluster, of which those that are alike may be one.
    pub grants: Vec<Granted>,
    /// Its limits, as sandbar.yaml has them.
    pub limits: Vec<(String, String)>,
}

/// A tool that is served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tool {
    /// Its name.
    pub name: Arc<str>,
    /// What it says of itself, in few words.
    pub title: String,
}

/// What a component may read somewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// The clusters, by name; empty where there is but one.
    pub clusters: Vec<String>,
    /// By resource.
    pub rights: Vec<Right>,
    /// Where that counts, in words.
    pub namespaces: String,
}

/// What may be done with a resource, as verbs of RBAC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Right {
    /// The resource, as kubectl writes it. The right to be told who calls is one, too.
    pub resource: String,
    /// What is asked for and granted.
    pub granted: Vec<&'static str>,
    /// What is asked for and not granted.
    pub refused: Vec<&'static str>,
    /// What is granted and not asked for.
    pub unasked: Vec<&'static str>,
}

/// A component that is not served as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The name that stands for it everywhere.
    pub name: String,
    /// What is wrong.
    pub state: ProblemState,
    /// Why, for the operator, and what can be done. It may have lines to paste.
    pub why: String,
}

/// What is wrong with a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemState {
    /// Nothing: it is being fetched or compiled.
    Waiting,
    /// It cannot be served.
    Failed,
    /// It cannot be served, and the one from before is.
    Kept,
}

/// A server as it is now.
#[derive(Clone, Debug, Default)]
pub struct Server {
    /// Its version.
    pub version: &'static str,
    /// The versions of MCP that it speaks.
    pub protocols: Vec<&'static str>,
    /// Whether an operator is told of it. Others hear what is wrong, and neither why nor who can call nor which clusters those are.
    pub tells_all: bool,
    /// Who can call, in words.
    pub callers: String,
    /// The clusters that it looks into.
    pub clusters: Vec<Cluster>,
    /// What is wrong with its certificate, its keys and its logins.
    pub troubles: Vec<String>,
    /// Calls that run, and that may run at once.
    pub running: (usize, usize),
    /// Calls that wait.
    pub waiting: usize,
    /// Connections that are open, and that may be.
    pub connections: (usize, usize),
    /// Bytes of memory in use, where that is known, and that may be.
    pub memory: (Option<u64>, u64),
}

/// A cluster, as far as that is known without asking.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its name; empty where there is but one.
    pub name: String,
    /// Which it is.
    pub description: String,
    /// How its API server was.
    pub state: ClusterState,
}

/// How an API server was when it was asked last.
#[derive(Clone, Debug)]
pub enum ClusterState {
    /// It was not asked yet.
    Unknown,
    /// It answered.
    Answers {
        /// Its version.
        version: String,
        /// Whether it said that it is ready to serve.
        is_ready: bool,
        /// How long ago.
        ago: Duration,
    },
    /// It did not.
    Away {
        /// Why.
        why: String,
        /// How long ago.
        ago: Duration,
    },
}
