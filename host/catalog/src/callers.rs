//! Who may call which tool, and which ones a client has chosen to see. What cannot be found out is not allowed.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use sandbar_kubernetes::{Code, Error, ToolRights};
use sandbar_policy::{Caller, Identity, ToolAccess, ToolsOf};
use tokio::time::timeout;

use super::{CallRefusal, Catalog, Tool};

/// How long it may take to find out who may call what, waiting for others' questions included.
const TIME: Duration = Duration::from_secs(10);

/// Questions about one list of tools at once.
const AT_ONCE: usize = 16;

impl Catalog {
    /// Whether there may be tools that are not for this caller.
    pub fn restricts(&self, caller: &Caller) -> bool {
        caller.has_selected() || self.components.iter().any(|component| component.callers.is_some())
    }

    /// The names of the tools that are for a caller, in order. An error is one of finding out.
    pub async fn tools_of(&self, caller: &Caller) -> Result<Vec<Arc<str>>, Error> {
        let selected = self.tools.iter().filter(|(_, tool)| tool.is_selected_by(caller));
        let (names, tools): (Vec<&Arc<str>>, Vec<&Tool>) = selected.unzip();
        let allowed = allowed(caller.identity(), &tools).await?;
        Ok(names.into_iter().zip(allowed).filter(|(_, allowed)| *allowed).map(|(name, _)| name.clone()).collect())
    }

    /// A tool by its name. One that the client has not chosen to see is like one that there is not.
    pub(super) fn tool_for(&self, caller: &Caller, name: &str) -> Option<&Tool> {
        self.tools.get(name).filter(|tool| tool.is_selected_by(caller))
    }

    /// Whether a caller may call a tool; of one that does not exist, whoever hears of all may. What cannot be found out is a no.
    pub async fn may_call(&self, caller: &Caller, name: &str) -> bool {
        match self.tool_for(caller, name) {
            Some(tool) => allows(tool, caller.identity()).await.unwrap_or(false),
            None => !self.restricts(caller),
        }
    }

    /// Refuses whoever may not call a tool.
    pub(super) async fn admit(&self, caller: &Identity, tool: &Tool) -> Result<(), CallRefusal> {
        let Some(access) = &tool.component.callers else { return Ok(()) };
        let name = tool.definition.name().to_owned();
        match allows(tool, caller).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                let by_rbac = access.rbac.as_ref().map(|group| {
                    format!(
                        ", and a ClusterRole with the rule {{apiGroups: [{group:?}], resources: [\"tools\"], resourceNames: [{name:?}], \
                         verbs: [\"create\"]}} would"
                    )
                });
                Err(CallRefusal::Caller { caller: caller.to_string(), tool: name, by_rbac: by_rbac.unwrap_or_default() })
            }
            Err(error) => Err(CallRefusal::Unknown { caller: caller.to_string(), tool: name, reason: error.message }),
        }
    }
}

impl Tool {
    /// Whether the client has chosen to see it, or sees all.
    pub(super) fn is_selected_by(&self, caller: &Caller) -> bool {
        !caller.has_selected() || caller.selects(self.definition.name(), self.component.source().pack())
    }
}

/// Whether a caller may call this tool.
async fn allows(tool: &Tool, caller: &Identity) -> Result<bool, Error> {
    allowed(caller, &[tool]).await.map(|allowed| allowed == [true])
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
