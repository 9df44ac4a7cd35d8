//! Components that take a compiler more than there is.

use std::fmt::Write as _;

use crate::text::Text;

/// A function with loops inside of each other, the innermost of which uses all of its variables.
pub fn nested(depth: usize, variables: usize) -> String {
    let mut text = format!("(func (param i32) (local{}) ", " i32".repeat(variables));
    text += &"(loop ".repeat(depth);
    for n in 1..=variables {
        let _ = write!(text, "(local.set {n} (i32.add (local.get {n}) (local.get 0)))");
    }
    for n in 0..depth {
        let _ = write!(text, "(br_if 0 (local.get {})))", n % variables + 1);
    }
    text + ")"
}

/// A function that jumps to each of its blocks from each of its tables.
fn jumps(blocks: usize, tables: usize) -> String {
    let targets: String = (0..blocks).map(|n| format!(" {n}")).collect();
    let table = format!("(block (br_table{targets} (local.get 0)))");
    format!("(func (param i32) {} {} {})", "(block ".repeat(blocks), table.repeat(tables), ")".repeat(blocks))
}

/// Components that are small, and take a compiler more than its share. Those of another round are others to it.
pub fn bombs(round: usize) -> Vec<(&'static str, Text)> {
    let bomb = |core: String| Text::tool("bomb").with_core(&core, "");
    vec![
        ("loops", bomb(nested(1_000, 3_000 + round))),
        ("fewer-loops-of-more", bomb(nested(400, 9_000 + round))),
        ("many-functions", bomb(nested(300, 3_000 + round).repeat(12))),
        ("jumps", bomb(jumps(1_000, 300 + round))),
    ]
}
