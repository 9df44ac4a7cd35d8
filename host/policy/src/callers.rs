//! Who may call which tool.

use std::collections::HashSet;

use serde::Serialize;

use super::caller::User;

/// Stands for every tool.
pub const EVERY_TOOL: &str = "*";

/// Who may call which tool, where not everybody who is let in may call all: whom a rule names, and whom RBAC does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ToolAccess {
    /// Each allows something, and none forbids anything.
    pub rules: Vec<ToolRule>,
    /// The API group of the resource `tools`: whoever may `create` one calls the tool of its name.
    pub rbac: Option<String>,
}

/// These users, and whoever is in one of these groups, may call these tools.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ToolRule {
    /// Names of users.
    pub users: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Names of tools; [`EVERY_TOOL`] is all of them.
    pub tools: Vec<String>,
}

/// The tools that rules allow one user.
#[derive(Debug)]
pub struct ToolsOf<'a>(HashSet<&'a str>);

impl ToolAccess {
    /// What the rules allow a user.
    pub fn of<'a>(&'a self, user: &User) -> ToolsOf<'a> {
        let groups: HashSet<&str> = user.groups.iter().map(String::as_str).collect();
        let holds = |rule: &&ToolRule| {
            rule.users.iter().any(|name| **name == *user.name) || rule.groups.iter().any(|group| groups.contains(group.as_str()))
        };
        ToolsOf(self.rules.iter().filter(holds).flat_map(|rule| &rule.tools).map(String::as_str).collect())
    }
}

impl ToolsOf<'_> {
    /// Whether the tool is one of them.
    pub fn have(&self, tool: &str) -> bool {
        self.0.contains(tool) || self.0.contains(EVERY_TOOL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_allows_its_tools_to_its_users_and_groups_and_nothing_to_others() {
        let rule = |users: &[&str], groups: &[&str], tools: &[&str]| {
            let [users, groups, tools] = [users, groups, tools].map(|list| list.iter().map(|&name| name.to_owned()).collect());
            ToolRule { users, groups, tools }
        };
        let rules = vec![
            rule(&["ann"], &[], &["a", "b"]),
            rule(&[], &["on-call"], &["c"]),
            rule(&["root"], &[], &["*"]),
            rule(&[], &[], &["*"]),
            rule(&["*"], &["*"], &["*"]),
        ];
        let access = ToolAccess { rules, rbac: None };
        let allowed = |name: &str, groups: &[&str]| {
            let groups = groups.iter().map(|&group| group.to_owned()).collect();
            let tools = access.of(&User { name: name.into(), groups, ..User::anonymous() });
            ["a", "b", "c", "d"].into_iter().filter(|tool| tools.have(tool)).collect::<String>()
        };
        assert_eq!(allowed("ann", &[]), "ab");
        assert_eq!(allowed("ann", &["others", "on-call"]), "abc");
        assert_eq!(allowed("bob", &["ann"]), "");
        assert_eq!(allowed("on-call", &[]), "", "a user is no group");
        assert_eq!(allowed("root", &[]), "abcd");
    }
}
