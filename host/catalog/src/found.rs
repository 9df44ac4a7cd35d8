//! Resolves a request to the component that serves it, and prepares the call: coerced arguments, chosen cluster, expected result.

use std::sync::Arc;

use sandbar_policy::{Account, Caller};
use sandbar_processor::Failed;
use sandbar_sandbox::{Ask, GuestResult};
use sandbar_text::{clean_line, nearest};

use super::answer::{Answer, Trust};
use super::answered::Answered;
use super::arguments::{Arguments, IgnoredArguments};
use super::manifest::Definition;
use super::offer::{Asked, Offer};
use super::prompt::PromptDefinition;
use super::reach::ClusterGrant;
use super::served::Served;
use super::uri::space;
use super::{CallRefusal, Catalog, Prompt, Tool};

/// Bytes of a URI that is quoted.
const QUOTED_BYTES: usize = 128;

/// Something that a component serves.
#[derive(Clone, Copy)]
pub(super) enum Found<'c> {
    Tool(&'c Tool),
    Prompt(&'c Prompt),
    Resource {
        component: &'c Arc<Served>,
        /// Its URI, or the template that it fits.
        declared: &'c str,
    },
}

/// What a component is asked, and what its answer has to be.
pub(super) struct Question {
    pub(super) ask: Ask,
    pub(super) form: Form,
    /// The cluster that is meant.
    pub(super) place: ClusterGrant,
}

/// What an answer has to be.
#[derive(Clone)]
pub(super) enum Form {
    Tool(Definition),
    Prompt { name: String },
    Resource { uri: String },
}

impl Catalog {
    /// What is asked for, if it is there. What the client has not chosen to see is not.
    pub(super) fn find(&self, caller: &Caller, asked: &Asked) -> Option<Found<'_>> {
        match asked {
            Asked::Tool { name, .. } => self.tool_for(caller, name).map(Found::Tool),
            Asked::Prompt { name, .. } => {
                self.prompts.get(name.as_str()).filter(|prompt| self.shows(caller, &prompt.component)).map(Found::Prompt)
            }
            Asked::Resource { uri } => {
                let component = self.spaces.get(space(uri)?).filter(|component| self.shows(caller, component))?;
                let declared = component.manifest().resource(uri)?;
                Some(Found::Resource { component, declared })
            }
        }
    }

    /// Says that there is nothing of that name, and what there is.
    pub(super) async fn unknown(&self, caller: &Caller, asked: &Asked) -> CallRefusal {
        let (offer, name) = (asked.offer(), asked.name());
        if offer == Offer::Resource {
            return CallRefusal::UnknownResource { uri: name.to_owned(), quoted: clean_line(name, QUOTED_BYTES) };
        }
        // Of those that the caller may not have, nothing is told.
        let sight = self.sight(caller).await;
        let named = |sight| match offer {
            Offer::Tool => self.tools(sight).map(Definition::name).collect(),
            _ => self.prompts(sight).map(PromptDefinition::name).collect::<Vec<_>>(),
        };
        let known = sight.as_ref().map(named).unwrap_or_default();
        let meant = nearest(name, &known).map(|nearest| format!("did you mean {nearest:?}? ")).unwrap_or_default();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        CallRefusal::Unknown { offer, name: name.to_owned(), meant, known }
    }
}

impl<'c> Found<'c> {
    pub(super) fn component(&self) -> &'c Arc<Served> {
        match self {
            Self::Tool(tool) => &tool.component,
            Self::Prompt(prompt) => &prompt.component,
            Self::Resource { component, .. } => component,
        }
    }

    /// The URI or template that what is asked for fits, if it is a resource.
    pub(super) fn declared(&self) -> Option<&'c str> {
        match self {
            Self::Resource { declared, .. } => Some(declared),
            Self::Tool(_) | Self::Prompt(_) => None,
        }
    }

    /// The name of the tool, if it is one.
    pub(super) fn tool(&self) -> Option<&str> {
        match self {
            Self::Tool(tool) => Some(tool.definition.name()),
            Self::Prompt(_) | Self::Resource { .. } => None,
        }
    }

    /// Prepares the call, with arguments coerced to the schema; the inner error names the argument that does not fit. Long arguments are
    /// processed on another thread, so that this task is not blocked.
    pub(super) async fn question(&self, account: &Account, asked: Asked) -> Result<Result<Question, String>, Failed> {
        let component = self.component();
        match (self, asked) {
            (Self::Tool(tool), Asked::Tool { name, arguments }) => {
                let (definition, reach) = (tool.definition.clone(), component.reach.clone());
                let is_brief = definition.reads_briefly(arguments.bytes());
                let read = move |arguments: Arguments, ignored: &IgnoredArguments| {
                    let mut arguments = definition.read(arguments.into_value(), ignored)?;
                    let place = reach.choose(&mut arguments).clone();
                    let ask = Ask::Tool { name, arguments: arguments.to_string() };
                    Ok(Question { ask, form: Form::Tool(definition), place })
                };
                reading(component, account, is_brief, arguments, read).await
            }
            (Self::Prompt(prompt), Asked::Prompt { name, arguments }) => {
                let place = component.reach.first().clone();
                let definition = prompt.definition.clone();
                let is_brief = definition.reads_briefly(arguments.bytes());
                let read = move |arguments: Arguments, ignored: &IgnoredArguments| {
                    let arguments = definition.read(arguments.into_value(), ignored)?.to_string();
                    Ok(Question { ask: Ask::Prompt { name: name.clone(), arguments }, form: Form::Prompt { name }, place })
                };
                reading(component, account, is_brief, arguments, read).await
            }
            (_, Asked::Resource { uri }) => {
                let place = component.reach.first().clone();
                Ok(Ok(Question { ask: Ask::Resource { uri: uri.clone() }, form: Form::Resource { uri }, place }))
            }
            // What is found is of the kind that is asked for.
            (_, asked) => Ok(Err(format!("it is no {}", asked.offer()))),
        }
    }
}

/// Reads arguments here, or on a thread of the account's where that takes long.
async fn reading<T: Send + 'static>(
    component: &Arc<Served>,
    account: &Account,
    is_brief: bool,
    arguments: Arguments,
    read: impl FnOnce(Arguments, &IgnoredArguments) -> T + Send + 'static,
) -> Result<T, Failed> {
    if is_brief {
        return Ok(read(arguments, &component.ignored_arguments));
    }
    let served = component.clone();
    component.processors().work(account, move || read(arguments, &served.ignored_arguments)).await
}

impl Form {
    pub(super) fn offer(&self) -> Offer {
        match self {
            Self::Tool(_) => Offer::Tool,
            Self::Prompt { .. } => Offer::Prompt,
            Self::Resource { .. } => Offer::Resource,
        }
    }

    /// Whether so many bytes of an answer are read in about a millisecond, or in proportion to their length.
    pub(super) fn is_checked_briefly(&self, bytes: usize) -> bool {
        match self {
            Self::Tool(definition) => definition.is_checked_briefly(bytes),
            Self::Prompt { .. } | Self::Resource { .. } => true,
        }
    }

    /// The answer that a component's words are.
    pub(super) fn answered(&self, returned: &GuestResult, trust: Trust) -> Answered {
        match (self, returned) {
            (Self::Tool(definition), Ok(result)) => Answered::Tool(Answer::parse(result, definition, trust)),
            (Self::Tool(_), Err(message)) => Answered::Tool(Answer::failed(message, trust)),
            (Self::Prompt { name }, Ok(result)) => Answered::prompt(name, result, trust),
            (Self::Resource { uri }, Ok(result)) => Answered::resource(uri, result, trust),
            (Self::Prompt { .. } | Self::Resource { .. }, Err(message)) => Answered::failed(message, trust),
        }
    }
}
