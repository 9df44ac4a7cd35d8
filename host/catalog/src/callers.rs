//! Who may call which tool, and which ones a client has chosen to see. What cannot be found out is not allowed.
//!
//! Prompts and resources have no rules of their own: they are for whoever may call one of the tools that they come with. Those of a
//! component without tools are for everybody, unless a client has chosen what it sees; but where there are rules, and the component is granted
//! something, for nobody, since no rule can name it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use sandbar_kubernetes::{Code, Error, ToolRights};
use sandbar_policy::{Caller, Identity, ToolAccess, ToolsOf};
use tokio::time::timeout;

use super::found::Found;
use super::manifest::Definition;
use super::offer::Asked;
use super::served::Served;
use super::{CallRefusal, Catalog, Tool};

/// How long it may take to find out who may call what, waiting for others' questions included.
const TIME: Duration = Duration::from_secs(10);

/// Questions about one list of tools at once.
const AT_ONCE: usize = 16;

/// What somebody sees of a catalog.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The names of the tools; none: all.
    tools: Option<BTreeSet<Arc<str>>>,
    /// Whether components without tools are seen.
    toolless: bool,
}

impl Sight {
    /// All that there is.
    pub fn everything() -> Self {
        Self { tools: None, toolless: true }
    }

    pub(super) fn has_tool(&self, name: &str) -> bool {
        self.tools.as_ref().is_none_or(|names| names.contains(name))
    }

    /// Whether the prompts and resources of a component are seen.
    pub(super) fn has(&self, component: &Served) -> bool {
        let tools = &component.manifest().tools;
        if tools.is_empty() {
            self.toolless && !component.is_for_nobody()
        } else {
            tools.iter().any(|tool| self.has_tool(tool.name()))
        }
    }
}

impl Catalog {
    /// Whether part of the catalog may be hidden from this caller: they sent a selection, or a component has access rules.
    pub fn restricts(&self, caller: &Caller) -> bool {
        caller.has_selected() || self.components.iter().any(|component| component.callers.is_some())
    }

    /// Which tools the caller may see, and whether they see components without tools. Fails if their rights cannot be determined.
    pub async fn sight(&self, caller: &Caller) -> Result<Sight, Error> {
        if !self.restricts(caller) {
            return Ok(Sight::everything());
        }
        let selected = self.tools.iter().filter(|(_, tool)| tool.is_selected_by(caller));
        let (names, tools): (Vec<&Arc<str>>, Vec<&Tool>) = selected.unzip();
        let allowed = allowed(caller.identity(), &tools).await?;
        let names = names.into_iter().zip(allowed).filter(|(_, allowed)| *allowed).map(|(name, _)| name.clone()).collect();
        Ok(Sight { tools: Some(names), toolless: !caller.has_selected() })
    }

    /// A tool by its name. One that the client has not chosen to see is like one that there is not.
    pub(super) fn tool_for(&self, caller: &Caller, name: &str) -> Option<&Tool> {
        self.tools.get(name).filter(|tool| tool.is_selected_by(caller))
    }

    /// Whether the client has chosen to see the prompts and resources of a component, or sees all.
    pub(super) fn shows(&self, caller: &Caller, component: &Served) -> bool {
        !caller.has_selected() || self.tools_with(caller, component).next().is_some()
    }

    /// The tools of a component that the client has chosen to see.
    fn tools_with<'c>(&'c self, caller: &Caller, component: &'c Served) -> impl Iterator<Item = &'c Tool> {
        component.manifest().tools.iter().map(Definition::name).filter_map(|name| self.tool_for(caller, name))
    }

    /// Whether the caller may use what they ask for. For an unknown name: true, unless part of the catalog may be hidden from this
    /// caller. False if the decision cannot be made.
    pub async fn may_have(&self, caller: &Caller, asked: &Asked) -> bool {
        match self.find(caller, asked) {
            Some(found) => self.allows(caller, &found).await.unwrap_or(false),
            None => !self.restricts(caller),
        }
    }

    /// Whether a caller may have this: a tool, or what comes with one.
    async fn allows(&self, caller: &Caller, found: &Found<'_>) -> Result<bool, Error> {
        let component = found.component();
        if component.callers.is_none() || component.manifest().tools.is_empty() {
            return Ok(!component.is_for_nobody());
        }
        let tools = match found {
            Found::Tool(tool) => vec![*tool],
            Found::Prompt(_) | Found::Resource { .. } => self.tools_with(caller, component).collect(),
        };
        Ok(allowed(caller.identity(), &tools).await?.contains(&true))
    }

    /// Refuses whoever may not have this.
    pub(super) async fn admit(&self, caller: &Caller, found: &Found<'_>) -> Result<(), CallRefusal> {
        let component = found.component();
        let Some(access) = &component.callers else { return Ok(()) };
        let outcome = self.allows(caller, found).await;
        if matches!(outcome, Ok(true)) {
            return Ok(());
        }
        let what = match found {
            Found::Tool(tool) => format!("call {}", tool.definition.name()),
            Found::Prompt(prompt) => format!("get the prompt {}, nor call a tool that it comes with", prompt.definition.name()),
            Found::Resource { declared, .. } => format!("read {declared}, nor call a tool that it comes with"),
        };
        let caller = caller.identity().to_string();
        Err(match outcome {
            Err(error) => CallRefusal::Undecided { caller, what, reason: error.message },
            Ok(_) => {
                let by_rbac = access.rbac.as_ref().zip(found.tool()).map(|(group, tool)| {
                    format!(
                        ", and a ClusterRole with the rule {{apiGroups: [{group:?}], resources: [\"tools\"], resourceNames: [{tool:?}], \
                         verbs: [\"create\"]}} would"
                    )
                });
                CallRefusal::Caller { caller, what, by_rbac: by_rbac.unwrap_or_default() }
            }
        })
    }
}

impl Tool {
    /// Whether the client has chosen to see it, or sees all.
    pub(super) fn is_selected_by(&self, caller: &Caller) -> bool {
        !caller.has_selected() || caller.selects(self.definition.name(), self.component.source().pack())
    }
}

/// Which of these tools a caller may call: by the rules, and where they do not say so, by RBAC.
async fn allowed(caller: &Identity, tools: &[&Tool]) -> Result<Vec<bool>, Error> {
    let Some((user, first)) = caller.whose_rights().zip(tools.first()) else { return Ok(vec![true; tools.len()]) };
    let rights = first.component.home.tool_rights(user.clone());
    // All have the same rules, but for the moment in which they are replaced: so what a user's are is looked up once.
    let mut known: Option<(&Arc<ToolAccess>, ToolsOf<'_>)> = None;
    let mut asking = Vec::with_capacity(tools.len());
    for tool in tools {
        let name = tool.definition.name();
        let Some(access) = &tool.component.callers else {
            asking.push(std::future::ready(Ok(true)).boxed());
            continue;
        };
        let own = match &known {
            Some((of, own)) if Arc::ptr_eq(of, access) => own,
            _ => &known.insert((access, access.of(&user))).1,
        };
        asking.push(match (own.have(name), &access.rbac) {
            (true, _) => std::future::ready(Ok(true)).boxed(),
            (false, None) => std::future::ready(Ok(false)).boxed(),
            (false, Some(group)) => by_rbac(&rights, group, name).boxed(),
        });
    }
    let finding_out = stream::iter(asking).buffered(AT_ONCE).try_collect();
    let late = || Error::new(Code::Unavailable, format!("the API server has not said so within {} s", TIME.as_secs()));
    timeout(TIME, finding_out).await.unwrap_or_else(|_late| Err(late()))
}

/// Most may call all or none, and the answer to that serves for every tool.
async fn by_rbac(rights: &ToolRights, group: &str, tool: &str) -> Result<bool, Error> {
    Ok(rights.allow(group, None).await? || rights.allow(group, Some(tool)).await?)
}
