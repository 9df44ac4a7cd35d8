//! What a client wants to see of the tools. It takes away and never gives.

use std::collections::BTreeSet;

/// The words in the place of packs that stand for everything: a client that asks for all, or for what is served by default, gives up nothing.
const EVERYTHING: [&str; 2] = ["all", "default"];

/// The tools that a client names, and the packs of which it takes all. A name that there is not takes part in nothing: what is served
/// changes, and a client that names more than there is today is right again tomorrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    tools: BTreeSet<String>,
    packs: BTreeSet<String>,
}

impl Selection {
    /// Of two lists, each with commas between its names. None where it takes nothing away.
    pub fn of(tools: &str, packs: &str) -> Option<Self> {
        let names = |list: &str| list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
        let (tools, packs): (BTreeSet<String>, BTreeSet<String>) = (names(tools), names(packs));
        let has_everything = EVERYTHING.iter().any(|word| packs.contains(*word));
        let names_nothing = tools.is_empty() && packs.is_empty();
        (!has_everything && !names_nothing).then_some(Self { tools, packs })
    }

    /// Whether a tool is among them. Tools of the operator's are in no pack.
    pub fn has(&self, tool: &str, pack: Option<&str>) -> bool {
        self.tools.contains(tool) || pack.is_some_and(|pack| self.packs.contains(pack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_selected_by_its_name_or_by_its_pack() {
        let selection = Selection::of(" get_events,promise ,none", "metrics, none").expect("names");
        for (tool, pack, has) in [
            ("get_events", Some("coder"), true),
            ("get_pod_logs", Some("coder"), false),
            ("top_pods", Some("metrics"), true),
            ("promise", None, true),
            ("metrics", None, false),
            ("GET_EVENTS", Some("coder"), false),
        ] {
            assert_eq!(selection.has(tool, pack), has, "{tool}");
        }
    }

    #[test]
    fn what_names_nothing_or_everything_takes_nothing_away() {
        for (tools, packs) in [("", ""), (" , ", ","), ("get_events", "all"), ("", "coder,default")] {
            assert_eq!(Selection::of(tools, packs), None, "{tools:?} {packs:?}");
        }
        let none = Selection::of("", "none").expect("a name, if of nothing");
        assert!(!none.has("get_events", Some("coder")));
    }
}
