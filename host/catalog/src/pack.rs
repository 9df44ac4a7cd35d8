//! Packs: bundled tools that are switched on and off together. Each is a folder of guest-tools.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::bundled::PACKS;

/// What the names of API groups end with that belong to Kubernetes, beside those without a dot.
const OF_KUBERNETES: &str = ".k8s.io";

/// Names of packs.
pub type PackNames = BTreeSet<&'static str>;

/// Bundled tools that are served together.
#[derive(Debug)]
pub struct Pack {
    name: &'static str,
    groups: &'static [&'static str],
    instructions: &'static str,
}

impl Pack {
    /// All that are inside the binary, in the order of their names.
    pub fn all() -> &'static [Pack] {
        static ALL: LazyLock<Vec<Pack>> =
            LazyLock::new(|| PACKS.iter().map(|&(name, groups, instructions)| Pack { name, groups, instructions }).collect());
        &ALL
    }

    /// The name, as configurations and clients have it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The API groups that its tools ask for and that somebody else than Kubernetes has brought into the cluster.
    pub fn foreign_groups(&self) -> impl Iterator<Item = &'static str> {
        self.groups.iter().copied().filter(|group| group.contains('.') && !group.ends_with(OF_KUBERNETES))
    }

    /// Whether a cluster that serves these groups has something for it: one of its foreign groups, or it needs none. One is enough, since
    /// parts of a product are often left out, and a tool that finds its own group missing says so.
    fn suits(&self, serves: impl Fn(&str) -> bool) -> bool {
        let mut foreign = self.foreign_groups().peekable();
        foreign.peek().is_none() || foreign.any(serves)
    }

    /// The packs that a cluster has something for.
    pub fn suited(serves: impl Fn(&str) -> bool) -> PackNames {
        Self::all().iter().filter(|pack| pack.suits(&serves)).map(Pack::name).collect()
    }
}

/// What these packs tell the model, without the lines about tools that are not there. Tools stand between backticks: some have a name that is
/// a word of everybody's.
pub(super) fn instructions(packs: &PackNames, has_tool: impl Fn(&str) -> bool) -> Vec<String> {
    let packs = Pack::all().iter().filter(|pack| packs.contains(pack.name));
    packs.flat_map(|pack| lines(pack.instructions, &has_tool)).collect()
}

/// The lines of a text all of whose tools are there, without the backticks.
fn lines(text: &str, has_tool: impl Fn(&str) -> bool) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter(|line| line.split('`').skip(1).step_by(2).all(&has_tool)).map(|line| line.replace('`', "")).collect()
}

/// The name of the tool in a bundled file: cargo wants dashes.
pub(super) fn tool_of(file: &str) -> String {
    file.trim_end_matches(".wasm").replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled::BUNDLED;

    fn pack(name: &'static str, groups: &'static [&'static str]) -> Pack {
        Pack { name, groups, instructions: "" }
    }

    #[test]
    fn a_pack_is_suited_where_one_of_its_foreign_groups_is_served_or_it_needs_none() {
        let coder = pack("coder", &["", "aggregation.coder.com", "coder.com"]);
        let kubernetes = pack("kubernetes", &["", "apps", "metrics.k8s.io", "*"]);
        let other = pack("other", &["example.com"]);
        assert_eq!(coder.foreign_groups().collect::<Vec<_>>(), ["aggregation.coder.com", "coder.com"]);
        for (served, suited) in [
            (&[][..], [false, true, false]),
            (&["apps", "metrics.k8s.io"], [false, true, false]),
            (&["coder.com"], [true, true, false]),
            (&["aggregation.coder.com", "example.com"], [true, true, true]),
        ] {
            assert_eq!(
                [&coder, &kubernetes, &other].map(|pack| pack.suits(|group| served.contains(&group))),
                suited,
                "{served:?}"
            );
        }
    }

    #[test]
    fn each_bundled_tool_is_in_a_pack_that_there_is() {
        let known: PackNames = Pack::all().iter().map(Pack::name).collect();
        assert_eq!(BUNDLED.iter().map(|(pack, ..)| *pack).collect::<PackNames>(), known);
        assert!(known.contains("coder"));
    }

    #[test]
    fn a_line_about_a_tool_that_is_not_there_is_left_out() {
        const TEXT: &str = "For any cluster.\nStart with `a_b`, or `top`.\n\n  See `c_d` on top.\n";
        let without = |missing: &'static str| lines(TEXT, move |tool| tool != missing);
        assert_eq!(without("none"), ["For any cluster.", "Start with a_b, or top.", "See c_d on top."]);
        assert_eq!(without("top"), ["For any cluster.", "See c_d on top."]);
        assert_eq!(without("c_d"), ["For any cluster.", "Start with a_b, or top."]);
    }
}
