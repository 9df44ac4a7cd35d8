//! `sandbar doctor`: what keeps a server of this configuration from working, found out before it is started. It is looked at with what
//! `serve` itself would do, and nothing is changed but the cache.

mod address;
mod cache;
mod callers;
mod certificate;
mod clock;
mod cluster;
mod configuration;
mod finding;
mod identity;
mod memory;
mod registries;
mod report;
mod rights;
mod session_key;
mod subject;
mod tools;
mod traces;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures::FutureExt as _;
use futures::future::{BoxFuture, join_all};
use tokio::time::timeout;

use self::finding::Finding;
use self::report::Report;
use self::subject::Subject;
use super::setup::runtime;
use super::{Failure, Output, output, serve};

/// How long a check may take.
const TIME: Duration = Duration::from_secs(10);

/// How long one may that reads files, which may take that long by themselves, and then asks somebody.
const READING_AND_ASKING: Duration = Duration::from_secs(25);

/// How long one may that needs the tools: some may have to be compiled first.
const LOADING: Duration = Duration::from_secs(60);

/// How long one may that needs both.
const LOADING_AND_ASKING: Duration = Duration::from_secs(70);

// Its group would have the name of that of `serve`, which is a part of it.
#[derive(Args)]
#[group(skip)]
#[command(
    after_help = "All flags of `serve` count, and what it would do with them is looked at. Exit status: 0 nothing fails, 1 something does.\n\nExamples:\n  \
                  sandbar doctor --config sandbar.yaml\n  sandbar doctor --config sandbar.yaml --offline -o json\n  \
                  sandbar doctor --cluster kubeconfig:kind-dev --packs auto"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    serve: serve::Arguments,
    /// Look at the configuration alone: ask no cluster and no registry, and take what is not on this machine to be where the server will be
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    output: Output,
}

/// What a check is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum About {
    /// The configuration, and the files that it names.
    Configuration,
    /// This machine, as the one that the server runs on.
    Machine,
    /// What the server asks.
    Others,
}

/// One thing that is looked at.
struct Check {
    name: &'static str,
    about: About,
    /// How long it may take.
    time: Duration,
    look: fn(Arc<Subject>) -> BoxFuture<'static, Vec<Finding>>,
}

/// What is looked at, all of it at once, in the order in which it is told. With --offline, what is about the configuration alone.
#[rustfmt::skip]
const CHECKS: [Check; 13] = [
    Check { name: "tools",       about: About::Configuration, time: LOADING,            look: |subject| tools::look(subject).boxed() },
    Check { name: "session key", about: About::Configuration, time: READING_AND_ASKING, look: |subject| session_key::look(subject).boxed() },
    Check { name: "certificate", about: About::Configuration, time: READING_AND_ASKING, look: |subject| certificate::look(subject).boxed() },
    Check { name: "traces",      about: About::Configuration, time: READING_AND_ASKING, look: |subject| traces::look(subject).boxed() },
    Check { name: "address",     about: About::Machine,       time: TIME,               look: |subject| address::look(subject).boxed() },
    Check { name: "memory",      about: About::Machine,       time: TIME,               look: |subject| memory::look(subject).boxed() },
    Check { name: "cache",       about: About::Machine,       time: TIME,               look: |subject| cache::look(subject).boxed() },
    Check { name: "registries",  about: About::Others,        time: TIME,               look: |subject| registries::look(subject).boxed() },
    Check { name: "cluster",     about: About::Others,        time: TIME,               look: |subject| cluster::look(subject).boxed() },
    Check { name: "clock",       about: About::Others,        time: TIME,               look: |subject| clock::look(subject).boxed() },
    Check { name: "identity",    about: About::Others,        time: TIME,               look: |subject| identity::look(subject).boxed() },
    Check { name: "rights",      about: About::Others,        time: LOADING_AND_ASKING, look: |subject| rights::look(subject).boxed() },
    Check { name: "callers",     about: About::Others,        time: TIME,               look: |subject| callers::look(subject).boxed() },
];

pub(super) fn run(arguments: Arguments) -> Result<ExitCode, Failure> {
    let format = arguments.output.output;
    let runtime = runtime()?;
    let report = runtime.block_on(examined(arguments));
    // What has not answered in time must not keep the process.
    runtime.shutdown_background();
    output::value(format, || report.json(), || report.text())?;
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn examined(Arguments { serve, offline, .. }: Arguments) -> Report {
    let (config, findings) = configuration::look(&serve);
    let mut told: Vec<_> = findings.into_iter().map(|finding| ("configuration", finding)).collect();
    if let Some(config) = config {
        let subject = Arc::new(Subject::new(serve, config, offline).await);
        let looked = join_all(CHECKS.iter().filter(|check| !offline || check.about == About::Configuration).map(|check| {
            let subject = subject.clone();
            async move { check.findings(subject).await.into_iter().map(|finding| (check.name, finding)) }
        }));
        told.extend(looked.await.into_iter().flatten());
    }
    Report(told)
}

impl Check {
    /// What it finds, in its time. Each runs by itself, since some read files.
    async fn findings(&self, subject: Arc<Subject>) -> Vec<Finding> {
        let looking = tokio::spawn((self.look)(subject));
        match timeout(self.time, looking).await {
            Ok(Ok(findings)) => findings,
            Ok(Err(failure)) => vec![Finding::fail(format!("the check itself has failed: {failure}"))],
            Err(_late) => {
                let way_out = match self.time >= LOADING {
                    true => "components may still be compiled: look again, or have `sandbar compile` do that first",
                    false => "what it reads or asks is silent, or this machine is busy: look again",
                };
                vec![Finding::fail(format!("it was not found out within {} s; {way_out}", self.time.as_secs()))]
            }
        }
    }
}
