//! Which tools there are, and the way of a call from a tool's name to its answer.
//!
//! Knows the sandbox and the cluster, and nothing of MCP's transport: definitions and results are plain JSON here.

mod answer;
mod arguments;
mod asking;
mod audit;
mod bundled;
mod callers;
mod compiling;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grant;
mod list_digest;
mod load;
mod manifest;
mod names;
mod pack;
mod problem;
mod reach;
mod schema;
mod served;
mod source;
mod stamps;
mod terms;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

pub use sandbar_capability::Progress;
use sandbar_policy::{Account, Caller};
use sandbar_processor::Failed;
use sandbar_sandbox::CallError;
use sandbar_text::nearest;
use tokio::sync::watch;

pub use answer::Answer;
pub use arguments::{Arguments, IgnoredArguments};
pub use asking::manifest_of;
use audit::Outcome;
pub use audit::{AuditEvent, NOT_LET_IN};
pub use grant::{Missing, Right, rights};
pub use list_digest::ListDigest;
pub use load::Loader;
pub use manifest::{Definition, Manifest, MirroredArgument, Settings};
pub use pack::{Pack, PackNames};
pub use problem::{Problem, Reason};
pub use served::Served;
pub use source::Source;
pub use stamps::FileStamps;
pub use terms::Terms;

/// What a model is told where a call can choose between clusters.
const SEVERAL_CLUSTERS: &str = "There are several clusters: say `cluster` in every call about another than the default one, also where an answer \
    suggests the call.";

/// All tools that are served, by name. It never changes: where the tools do, another catalog takes its place, and calls that run on
/// this one end on it.
#[derive(Default)]
pub struct Catalog {
    components: Vec<Arc<Served>>,
    tools: BTreeMap<Arc<str>, Tool>,
    digest: OnceLock<ListDigest>,
}

/// A tool and the component that serves it.
#[derive(Clone)]
struct Tool {
    definition: Definition,
    component: Arc<Served>,
}

/// Why a component cannot be added: another one serves a tool of the same name.
#[derive(Debug, thiserror::Error)]
#[error("it serves a tool named {tool:?}, and so does {by}, which was loaded first; rename one of them")]
pub struct NameTaken {
    tool: String,
    by: Arc<str>,
}

impl NameTaken {
    fn new(tool: &str, by: Arc<str>) -> Self {
        Self { tool: tool.to_owned(), by }
    }
}

/// A call that never reached a tool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallRefusal {
    /// No such tool.
    #[error("unknown tool {name:?}; {meant}the tools of this server are {known}")]
    UnknownTool {
        /// What was asked for.
        name: String,
        /// A question after the tool with the nearest name, where one is near.
        meant: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// The caller may not call it.
    #[error("{caller} may not call {tool}: no rule of `authorization.tools` in the server's configuration allows it{by_rbac}")]
    Caller {
        /// Who.
        caller: String,
        /// The tool.
        tool: String,
        /// What in RBAC would allow it, where that counts.
        by_rbac: String,
    },
    /// Whether the caller may call it is not known.
    #[error("whether {caller} may call {tool} cannot be found out now: {reason}")]
    Unknown {
        /// Who.
        caller: String,
        /// The tool.
        tool: String,
        /// Why.
        reason: String,
    },
    /// The arguments do not fit the tool's input schema.
    #[error("invalid arguments for {tool}: {reason}")]
    Arguments {
        /// The tool.
        tool: String,
        /// Which argument, and what it should be.
        reason: String,
    },
}

impl Tool {
    /// Arguments as they were meant, as JSON; else which of them does not fit, and why. Where that takes long it is not done in this
    /// task, in which others wait.
    async fn read(&self, account: &Account, arguments: Arguments) -> Result<Result<String, String>, Failed> {
        let definition = &self.definition;
        if definition.reads_briefly(arguments.bytes()) {
            return Ok(definition.read(arguments.into_value(), &self.component.ignored_arguments).map(|read| read.to_string()));
        }
        let (definition, component) = (definition.clone(), self.component.clone());
        let read = move || definition.read(arguments.into_value(), &component.ignored_arguments).map(|read| read.to_string());
        self.component.processors().work(account, read).await
    }
}

impl Catalog {
    /// Whether it serves the same components in the same way.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(one, other): (&Arc<Served>, &Arc<Served>)| Arc::ptr_eq(one, other);
        self.components.len() == other.components.len() && self.components.iter().zip(&other.components).all(same)
    }

    /// The components, bundled ones first.
    pub fn components(&self) -> &[Arc<Served>] {
        &self.components
    }

    /// The definitions of all tools, in the order of their names.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.tools.values().map(|tool| &tool.definition)
    }

    /// What stands for the list of all tools.
    pub fn digest(&self) -> &ListDigest {
        self.digest.get_or_init(|| {
            let callers = self.components.iter().filter_map(|component| component.callers.as_deref());
            ListDigest::of(self.definitions(), callers)
        })
    }

    /// The component that was loaded from there.
    pub fn component(&self, source: &Source) -> Option<&Arc<Served>> {
        self.components.iter().find(|component| component.source() == source)
    }

    /// The definition of one tool.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.tools.get(name).map(|tool| &tool.definition)
    }

    /// The definition of one tool, if the caller has not chosen to see others alone.
    pub fn definition_for(&self, caller: &Caller, name: &str) -> Option<&Definition> {
        self.tool_for(caller, name).map(|tool| &tool.definition)
    }

    /// The packs of the bundled tools.
    pub fn packs(&self) -> PackNames {
        self.components.iter().filter_map(|component| component.source().pack()).collect()
    }

    /// What the packs tell the model about the tools that the caller has chosen to see, a sentence or more each.
    pub fn instructions(&self, caller: &Caller) -> Vec<String> {
        let seen = self.tools.values().filter(|tool| tool.is_selected_by(caller));
        let packs = seen.filter_map(|tool| tool.component.source().pack()).collect();
        pack::instructions(&packs, |name| self.tool_for(caller, name).is_some())
    }

    /// What the model is told where the caller can choose between clusters.
    pub fn about_clusters(&self, caller: &Caller) -> Option<&'static str> {
        let mut seen = self.tools.values().filter(|tool| tool.is_selected_by(caller));
        seen.any(|tool| tool.component.reach.is_said()).then_some(SEVERAL_CLUSTERS)
    }

    /// Calls a tool. Dropping the future stops it. A tool that fails has an answer, too: one that says so. What `write` makes of the
    /// answer is made as a part of the call, on its processor time. The call's event is written when it is dropped, so whoever delivers
    /// the answer can say how that went.
    pub async fn call<T, W>(
        &self,
        caller: &Caller,
        name: &str,
        arguments: Arguments,
        progress: watch::Sender<Progress>,
        write: W,
    ) -> (Result<T, CallRefusal>, AuditEvent)
    where
        T: Send + 'static,
        W: FnOnce(Answer) -> T + Clone + Send + 'static,
    {
        let mut event = AuditEvent::begin(caller, name, arguments.bytes());
        let Some(tool) = self.tool_for(caller, name) else {
            event.names_nothing();
            // Of those that the caller may not call, nothing is told.
            let known = match self.restricts(caller) {
                true => self.tools_of(caller).await.unwrap_or_default(),
                false => self.tools.keys().cloned().collect(),
            };
            let known: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
            let meant = nearest(name, &known).map(|nearest| format!("did you mean {nearest:?}? ")).unwrap_or_default();
            return (Err(CallRefusal::UnknownTool { name: name.to_owned(), meant, known: known.join(", ") }), event);
        };
        if let Err(refusal) = self.admit(caller.identity(), tool).await {
            event.end(Outcome::Denied);
            return (Err(refusal), event);
        }
        let mut arguments = arguments;
        let place = match tool.component.reach.choose(&mut arguments) {
            Ok(place) => place,
            Err(reason) => {
                event.end(Outcome::Refused);
                return (Err(CallRefusal::Arguments { tool: name.to_owned(), reason }), event);
            }
        };
        let outcome = match tool.read(&caller.identity().account(), arguments).await {
            Ok(Ok(read)) => {
                let component = &tool.component;
                Ok(component.call(caller.identity(), place, &tool.definition, read, progress, &mut event, write).await)
            }
            Ok(Err(reason)) => {
                event.end(Outcome::Refused);
                Err(CallRefusal::Arguments { tool: name.to_owned(), reason })
            }
            Err(Failed) => {
                event.end(Outcome::from(&CallError::Host));
                Ok(write(Answer::failure(&CallError::Host.to_string())))
            }
        };
        (outcome, event)
    }

    /// Notes a call that is not let in, because there are too many.
    pub fn turned_away(caller: &Caller, name: &str, arguments: &Arguments) {
        audit::not_let_in(caller, name, arguments.bytes());
    }

    /// Adds a component with all its tools. Fails, and adds nothing, where one of its names is taken.
    fn add(&mut self, component: Arc<Served>) -> Result<(), NameTaken> {
        for definition in &component.manifest().tools {
            if let Some(other) = self.tools.get(definition.name()) {
                return Err(NameTaken::new(definition.name(), other.component.name().clone()));
            }
        }
        for definition in &component.manifest().tools {
            let tool = Tool { definition: definition.clone(), component: component.clone() };
            self.tools.insert(definition.name().into(), tool);
        }
        self.components.push(component);
        Ok(())
    }
}
