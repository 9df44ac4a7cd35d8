//! Which tools, prompts and resources there are, and the way of a call from a name to its answer.
//!
//! Knows the sandbox and the cluster, and nothing of MCP's transport: definitions and results are JSON here, or the types that MCP has for it.

mod answer;
mod answered;
mod arguments;
mod asking;
mod audit;
mod bundled;
mod callers;
mod compiling;
mod event;
mod fetching;
mod found;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod grant;
mod integrity;
mod late;
mod list_digest;
mod load;
mod located;
mod manifest;
mod names;
mod observer;
mod offer;
mod outcome;
mod pack;
mod problem;
mod prompt;
mod reach;
mod resource;
mod schema;
mod served;
mod shape;
mod source;
mod stamps;
mod terms;
mod uri;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub use sandbar_capability::Progress;
use sandbar_policy::Caller;
use sandbar_processor::Failed;
use sandbar_sandbox::CallError;
use tokio::sync::watch;

pub use answer::Answer;
pub use answered::Answered;
pub use arguments::{Arguments, IgnoredArguments};
pub use asking::manifest_of;
pub use audit::NOT_LET_IN;
pub use callers::Sight;
pub use event::CallEvent;
pub use grant::{Missing, Right, asks_for_caller, rights};
pub use integrity::{Integrity, NotTaken};
pub use list_digest::ListDigest;
pub use load::Loader;
pub use located::Contents;
pub use manifest::{Definition, Manifest, MirroredArgument, Settings};
use observer::Observers;
pub use observer::{Arrival, EndedCall, Observer, Run};
pub use offer::{Asked, Offer};
pub use outcome::{LimitReached, Outcome};
pub use pack::{Pack, PackNames};
pub use problem::{Problem, Reason};
pub use prompt::PromptDefinition;
pub use resource::{ResourceDefinition, TemplateDefinition};
pub use served::Served;
pub use source::{COMPONENT_BYTES, Source};
pub use stamps::FileStamps;
pub use terms::Terms;

/// What a model is told where a call can choose between clusters.
const SEVERAL_CLUSTERS: &str = "There are several clusters: say `cluster` in every call about another than the default one, also where an answer \
    suggests the call.";

/// All that is served, by name. It never changes: where the components do, another catalog takes its place, and calls that run on this
/// one end on it.
#[derive(Default)]
pub struct Catalog {
    components: Vec<Arc<Served>>,
    tools: BTreeMap<Arc<str>, Tool>,
    prompts: BTreeMap<Arc<str>, Prompt>,
    /// The components that have resources, by what their URIs begin with.
    spaces: BTreeMap<Arc<str>, Arc<Served>>,
    digest: OnceLock<ListDigest>,
    observers: Observers,
}

/// A definition and the component that it is of.
#[derive(Clone)]
struct Serves<D> {
    definition: D,
    component: Arc<Served>,
}

type Tool = Serves<Definition>;
type Prompt = Serves<PromptDefinition>;

/// Why a component cannot be added: another one serves something of the same name.
#[derive(Debug, thiserror::Error)]
#[error("it serves {taken}, and so does {by}, which was loaded first; rename one of them")]
pub struct NameTaken {
    taken: String,
    by: Arc<str>,
}

impl NameTaken {
    fn new((offer, name): (Offer, &str), by: Arc<str>) -> Self {
        let taken = match offer {
            Offer::Tool | Offer::Prompt => format!("a {offer} named {name:?}"),
            Offer::Resource => format!("resources whose URIs begin with {name:?}"),
        };
        Self { taken, by }
    }
}

/// A call that never reached a component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallRefusal {
    /// No such tool or prompt.
    #[error("unknown {offer} {name:?}; {meant}the {offer}s of this server are {known}")]
    Unknown {
        /// Which of the two.
        offer: Offer,
        /// What was asked for.
        name: String,
        /// A question after the one with the nearest name, where one is near.
        meant: String,
        /// What there is, separated by commas.
        known: String,
    },
    /// No such resource.
    #[error("there is no resource {quoted:?}; resources/list and resources/templates/list say which there are")]
    UnknownResource {
        /// What was asked for.
        uri: String,
        /// Its beginning.
        quoted: String,
    },
    /// The caller may not have it.
    #[error("{caller} may not {what}: no rule of `authorization.tools` in the server's configuration allows it{by_rbac}")]
    Caller {
        /// Who.
        caller: String,
        /// What they may not.
        what: String,
        /// What in RBAC would allow it, where that counts.
        by_rbac: String,
    },
    /// Whether the caller may have it is not known.
    #[error("whether {caller} may {what} cannot be found out now: {reason}")]
    Undecided {
        /// Who.
        caller: String,
        /// What they may or may not.
        what: String,
        /// Why.
        reason: String,
    },
    /// The arguments do not fit the tool's input schema, or are not those of the prompt.
    #[error("invalid arguments for {name}: {reason}")]
    Arguments {
        /// The tool or prompt.
        name: String,
        /// Which argument, and what it should be.
        reason: String,
    },
}

impl Catalog {
    /// One that serves nothing yet, whose calls these are told of.
    fn observed_by(observers: Observers) -> Self {
        Self { observers, ..Self::default() }
    }

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

    /// The tools that somebody sees, in the order of their names.
    pub fn tools(&self, sight: &Sight) -> impl Iterator<Item = &Definition> {
        self.definitions().filter(|tool| sight.has_tool(tool.name()))
    }

    /// The prompts that somebody sees, in the order of their names.
    pub fn prompts(&self, sight: &Sight) -> impl Iterator<Item = &PromptDefinition> {
        self.prompts.values().filter(|prompt| sight.has(&prompt.component)).map(|prompt| &prompt.definition)
    }

    /// The resources that somebody sees, those of one component after those of another.
    pub fn resources(&self, sight: &Sight) -> impl Iterator<Item = &ResourceDefinition> {
        self.components.iter().filter(|component| sight.has(component)).flat_map(|component| &component.manifest().resources)
    }

    /// The same of templates.
    pub fn templates(&self, sight: &Sight) -> impl Iterator<Item = &TemplateDefinition> {
        self.components.iter().filter(|component| sight.has(component)).flat_map(|component| &component.manifest().templates)
    }

    /// What stands for the lists of all that is served.
    pub fn digest(&self) -> &ListDigest {
        self.digest.get_or_init(|| ListDigest::of(self))
    }

    /// The component that was loaded from there.
    pub fn component(&self, source: &Source) -> Option<&Arc<Served>> {
        self.components.iter().find(|component| component.source() == source)
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

    /// Does what a caller asks for. Dropping the future stops it. A
    /// component that fails has an answer, too: one that says so. What `write` makes of the answer is made as a part of the call, on its
    /// processor time. Observers are told when the call's event is dropped, so whoever delivers the answer can say how that went.
    pub async fn call<T, W>(
        &self,
        caller: &Caller,
        arrival: Arrival,
        asked: Asked,
        progress: watch::Sender<Progress>,
        write: W,
    ) -> (Result<T, CallRefusal>, Box<CallEvent>)
    where
        T: Send + 'static,
        W: FnOnce(Answered) -> T + Clone + Send + 'static,
    {
        let mut event = CallEvent::begin(&self.observers, caller, arrival, &asked);
        let Some(found) = self.find(caller, &asked) else {
            event.names_nothing();
            return (Err(self.unknown(caller, &asked).await), event);
        };
        event.names(found.component().name(), found.declared());
        if let Err(refusal) = self.admit(caller, &found).await {
            event.end(Outcome::Denied);
            return (Err(refusal), event);
        }
        let (offer, name) = (asked.offer(), asked.name().to_owned());
        let outcome = match found.question(&caller.identity().account(), asked).await {
            Ok(Ok(question)) => Ok(found.component().call(caller.identity(), question, progress, &mut event, write).await),
            Ok(Err(reason)) => {
                event.end(Outcome::Refused);
                Err(CallRefusal::Arguments { name, reason })
            }
            Err(Failed) => {
                event.end(Outcome::from(&CallError::Host));
                Ok(write(Answered::failure(offer, &CallError::Host.to_string())))
            }
        };
        (outcome, event)
    }

    /// Notes a call that is not let in, because there are too many, and is answered with a JSON-RPC error of this code, or with none.
    pub fn turned_away(&self, caller: &Caller, Arrival { version, parent }: &Arrival, asked: &Asked, error: Option<i32>) {
        self.observers.ended(&EndedCall {
            caller,
            version: *version,
            offer: asked.offer(),
            name: asked.bare_name(),
            component: self.find(caller, asked).map(|found| found.component().name()),
            argument_bytes: asked.argument_bytes(),
            is_let_in: false,
            run: None,
            outcome: Outcome::Busy,
            error,
            began: Instant::now(),
            took: Duration::ZERO,
            trace: self.observers.trace(parent.as_ref()).as_ref(),
        });
    }

    /// Adds a component with all that it serves. Fails, and adds nothing, where one of its names is taken.
    fn add(&mut self, component: Arc<Served>) -> Result<(), NameTaken> {
        for name in component.manifest().names() {
            if let Some(other) = self.whose(name) {
                return Err(NameTaken::new(name, other.name().clone()));
            }
        }
        let Manifest { tools, prompts, .. } = component.manifest();
        for definition in tools {
            let tool = Tool { definition: definition.clone(), component: component.clone() };
            self.tools.insert(definition.name().into(), tool);
        }
        for definition in prompts {
            let prompt = Prompt { definition: definition.clone(), component: component.clone() };
            self.prompts.insert(definition.name().into(), prompt);
        }
        let spaces = component.manifest().names().into_iter().filter(|(offer, _)| *offer == Offer::Resource);
        self.spaces.extend(spaces.map(|(_, space)| (space.into(), component.clone())));
        self.components.push(component.clone());
        Ok(())
    }

    /// The component that has this name.
    fn whose(&self, (offer, name): (Offer, &str)) -> Option<&Arc<Served>> {
        match offer {
            Offer::Tool => self.tools.get(name).map(|tool| &tool.component),
            Offer::Prompt => self.prompts.get(name).map(|prompt| &prompt.component),
            Offer::Resource => self.spaces.get(name),
        }
    }
}
