//! Who may call which tool. What cannot be found out is not allowed.

use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _, stream};
use sandbar_kubernetes::Error;
use sandbar_policy::{Budget, Identity};

use super::manifest::Definition;
use super::{CallRefusal, Catalog, Tool};

/// How long it may take to find out who may call what.
const TIME: Duration = Duration::from_secs(10);

/// Requests for it, beside reviews.
const REQUESTS: u32 = 1;

/// Questions about one list of tools at once.
const AT_ONCE: usize = 16;

impl Tool {
    /// Whether a caller may call it: by the rules, or by RBAC.
    async fn may_be_called(&self, caller: &Identity, budget: &Budget) -> Result<bool, Error> {
        let Some(access) = &self.component.callers else { return Ok(true) };
        let Some(user) = caller.whose_rights() else { return Ok(true) };
        let name = self.definition.name();
        if access.of(&user).have(name) {
            return Ok(true);
        }
        let Some(group) = &access.rbac else { return Ok(false) };
        let cluster = &self.component.cluster;
        // Most may call all or none, and this one answer serves for every tool.
        Ok(cluster.allows_tool(&user, group, None, budget).await?
            || cluster.allows_tool(&user, group, Some(name), budget).await?)
    }
}

impl Catalog {
    /// Whether some may not call all.
    pub fn restricts_callers(&self) -> bool {
        self.components.iter().any(|component| component.callers.is_some())
    }

    /// The definitions of the tools that a caller may call, in the order of their names. An error is one of finding out.
    pub async fn definitions_for(&self, caller: &Identity) -> Result<Vec<&Definition>, Error> {
        let budget = Budget::outside_calls(TIME, REQUESTS);
        let asking: Vec<_> = self.tools.values().map(|tool| tool.may_be_called(caller, &budget).boxed()).collect();
        let allowed: Vec<bool> = stream::iter(asking).buffered(AT_ONCE).try_collect().await?;
        Ok(self.definitions().zip(allowed).filter_map(|(definition, allowed)| allowed.then_some(definition)).collect())
    }

    /// Refuses whoever may not call a tool.
    pub(super) async fn admit(&self, caller: &Identity, tool: &Tool) -> Result<(), CallRefusal> {
        let Some(access) = &tool.component.callers else { return Ok(()) };
        let name = tool.definition.name().to_owned();
        match tool.may_be_called(caller, &Budget::outside_calls(TIME, REQUESTS)).await {
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
