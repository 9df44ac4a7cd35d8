//! The tool `top`: processor and memory of pods or nodes, beside what they request and may use.

mod amount;
mod metrics;
mod nodes;
mod pods;
mod share;

use sandbar_tool::arguments::given;
use sandbar_tool::columns::Columns;
use sandbar_tool::resource::Document;
use sandbar_tool::{Component, Error, Integer, Rule, Scope, Told, Tool, Tools, Verb};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::share::Share;

/// Rows by default: what is nearest to its limit comes first.
const DEFAULT_ROWS: u32 = 30;

/// Objects that are read of a list.
const READ_MAX: u32 = 10_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Arguments {
    of: Of,
    /// Of pods; absent: all.
    namespace: Option<String>,
    /// Such as app=web.
    labels: Option<String>,
    /// By what is nearest to its limit if absent.
    sort: Option<Sort>,
    /// Rows: 30 by default.
    limit: Option<Integer>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Of {
    Pods,
    Nodes,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Sort {
    Cpu,
    Memory,
}

/// The table is here, too: many clients show their model nothing but this.
#[derive(Serialize, JsonSchema)]
struct Answer {
    /// All that there are; the table may have fewer.
    count: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    table: String,
}

/// Rows before they are sorted, and what is said of them.
struct Rows {
    columns: Vec<&'static str>,
    rows: Vec<Row>,
    warnings: Vec<String>,
}

/// A row, and what it is sorted by.
struct Row {
    cells: Vec<String>,
    /// The part of its limit that is used.
    nearest: Share,
    cpu: i128,
    memory: i128,
}

fn top(Arguments { of, namespace, labels, sort, limit }: Arguments) -> Result<Told<Answer>, Error> {
    let labels = given(labels);
    let Rows { columns, mut rows, mut warnings } = match of {
        Of::Pods => pods::rows(Scope::or_every(namespace), labels)?,
        Of::Nodes => nodes::rows(labels)?,
    };
    rows.sort_by(|one, other| match sort {
        None => other.nearest.cmp(&one.nearest).then(other.memory.cmp(&one.memory)),
        Some(Sort::Cpu) => other.cpu.cmp(&one.cpu),
        Some(Sort::Memory) => other.memory.cmp(&one.memory),
    });
    let count = rows.len();
    let limit = limit.map(Integer::clamp_u32).filter(|&rows| rows > 0).unwrap_or(DEFAULT_ROWS);
    rows.truncate(limit as usize);
    if rows.len() < count {
        warnings.push(format!("the first {} of {count} are here; limit shows more", rows.len()));
    }
    let mut table = Columns::new(columns);
    rows.into_iter().for_each(|row| table.row(row.cells));
    let answer = Answer { count, warnings, table: table.to_string() };
    Ok(Told::noted(&answer.warnings.clone(), &answer.table.clone(), answer))
}

fn component() -> Component<impl Tools> {
    const LIST: &[Verb] = &[Verb::List];
    Component::new()
        .rule(Rule::new("", &["pods"], LIST))
        .rule(Rule::new("metrics.k8s.io", &["pods"], LIST))
        .cluster_rule(Rule::new("", &["nodes"], LIST))
        .cluster_rule(Rule::new("metrics.k8s.io", &["nodes"], LIST))
        .tool(
            Tool::new(
                "top",
                "Processor and memory of pods or nodes: use beside requests and limits, or allocatable. What is nearest to its \
                 limit comes first.",
                top,
            )
            .title("Top"),
        )
        .resource(
            Document::new("sandbar://top/tool.md", "top", "How the tool top is used.", || {
                Ok(include_str!("../tool.md").to_owned())
            })
            .mime_type("text/markdown"),
        )
}

sandbar_tool::export!(component, manifest: "manifest.json");

#[cfg(test)]
mod tests;
