//! Limits as an operator writes them: in sandbar.yaml for all components or for one, and as flags for all.

use clap::{Arg, Args};
use sandbar_policy::{LEAST_MEMORY, LEAST_STACK, Limits, MOST_MEMORY, MOST_PAGE, MOST_STACK, MOST_TABLES};
use schemars::JsonSchema;
use serde::Deserialize;

use super::quantity::{Count, Size, Time, size};

/// Bytes that pass through a component's memory in one piece.
type Piece = Size<1, MOST_MEMORY>;

/// Bytes, summed over a call.
type Amount = Size<1, { u64::MAX }>;

/// A number, summed over a call.
type Number = Count<1, { u32::MAX }>;

/// The memory of an instance.
type Memory = Size<LEAST_MEMORY, MOST_MEMORY>;

/// The stack of an instance.
type Stack = Size<LEAST_STACK, MOST_STACK>;

/// The heading of the flags in `--help`.
const HEADING: &str = "Limits of a call, for components that have none of their own in sandbar.yaml";

/// Limits of a call. What is absent is inherited: by a component from those for all, and by those from the defaults.
// One list for the file, the flags and the variables. The first words are the help of a flag and the description in the schema.
#[derive(Args, Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "Limits")]
#[command(mut_args = under_heading)]
pub struct LimitsConfig {
    /// Wall-clock time, waiting included
    #[arg(long = "limit-time", value_name = "TIME", env = "SANDBAR_LIMIT_TIME")]
    #[schemars(with = "Time")]
    time: Option<Time>,
    /// Time on a processor, with the host's work for the component
    #[arg(long = "limit-cpu", value_name = "TIME", env = "SANDBAR_LIMIT_CPU")]
    #[schemars(with = "Time")]
    cpu: Option<Time>,
    /// Linear memory of the instance
    #[arg(long = "limit-memory", value_name = "SIZE", env = "SANDBAR_LIMIT_MEMORY")]
    #[schemars(with = "Memory")]
    memory: Option<Memory>,
    /// Requests to the API server
    #[arg(long = "limit-requests", value_name = "NUMBER", env = "SANDBAR_LIMIT_REQUESTS")]
    #[schemars(with = "Number")]
    requests: Option<Number>,
    /// Bytes read from the API server, unpacked
    #[arg(long = "limit-read", value_name = "SIZE", env = "SANDBAR_LIMIT_READ")]
    #[schemars(with = "Amount")]
    read: Option<Amount>,
    /// Bytes of objects and logs handed to the component
    #[arg(long = "limit-handed", value_name = "SIZE", env = "SANDBAR_LIMIT_HANDED")]
    #[schemars(with = "Amount")]
    handed: Option<Amount>,
    /// Text of one log excerpt
    #[arg(long = "limit-logs", value_name = "SIZE", env = "SANDBAR_LIMIT_LOGS")]
    #[schemars(with = "Piece")]
    logs: Option<Piece>,
    /// JSON that the component returns
    #[arg(long = "limit-result", value_name = "SIZE", env = "SANDBAR_LIMIT_RESULT")]
    #[schemars(with = "Piece")]
    result: Option<Piece>,
    /// Objects on a page
    #[arg(long = "limit-page", value_name = "NUMBER", env = "SANDBAR_LIMIT_PAGE")]
    #[schemars(with = "Count<1, MOST_PAGE>")]
    page: Option<Count<1, MOST_PAGE>>,
    /// What the component writes to the server's log
    #[arg(long = "limit-logged", value_name = "SIZE", env = "SANDBAR_LIMIT_LOGGED")]
    #[schemars(with = "Amount")]
    logged: Option<Amount>,
    /// Reports of its progress that the component makes
    #[arg(long = "limit-progress", value_name = "NUMBER", env = "SANDBAR_LIMIT_PROGRESS")]
    #[schemars(with = "Number")]
    progress: Option<Number>,
    /// Stack of the instance: calls that have not returned
    #[arg(long = "limit-stack", value_name = "SIZE", env = "SANDBAR_LIMIT_STACK")]
    #[schemars(with = "Stack")]
    stack: Option<Stack>,
    /// Entries of the instance's tables
    #[arg(long = "limit-tables", value_name = "NUMBER", env = "SANDBAR_LIMIT_TABLES")]
    #[schemars(with = "Count<1, MOST_TABLES>")]
    tables: Option<Count<1, MOST_TABLES>>,
    /// Handles that the component holds, of streams for example
    #[arg(long = "limit-handles", value_name = "NUMBER", env = "SANDBAR_LIMIT_HANDLES")]
    #[schemars(with = "Number")]
    handles: Option<Number>,
    /// What the component hands to the host at once, beyond the size of a result
    #[arg(long = "limit-passed", value_name = "SIZE", env = "SANDBAR_LIMIT_PASSED")]
    #[schemars(with = "Piece")]
    passed: Option<Piece>,
    /// Calls of the component that run at once [default: half of those that the server has room for]
    #[arg(long = "limit-calls", value_name = "NUMBER", env = "SANDBAR_LIMIT_CALLS")]
    #[schemars(with = "Number")]
    calls: Option<Number>,
}

/// Puts the flags under a heading of their own, in the long help only.
fn under_heading(flag: Arg) -> Arg {
    if flag.get_long().is_some_and(|name| name.starts_with("limit-")) {
        flag.help_heading(HEADING).hide_short_help(true)
    } else {
        flag
    }
}

impl LimitsConfig {
    /// These limits, with those of `base` where none is set.
    pub fn over(&self, base: &Limits) -> Limits {
        Limits {
            time: self.time.map_or(base.time, |Time(time)| time),
            cpu: self.cpu.map_or(base.cpu, |Time(time)| time),
            memory: self.memory.map_or(base.memory, |Size(bytes)| bytes),
            requests: self.requests.map_or(base.requests, |Count(number)| number),
            read: self.read.map_or(base.read, |Size(bytes)| bytes),
            handed: self.handed.map_or(base.handed, |Size(bytes)| bytes),
            logs: self.logs.map_or(base.logs, |Size(bytes)| bytes),
            result: self.result.map_or(base.result, |Size(bytes)| bytes),
            page: self.page.map_or(base.page, |Count(number)| number),
            logged: self.logged.map_or(base.logged, |Size(bytes)| bytes),
            progress: self.progress.map_or(base.progress, |Count(number)| number),
            stack: self.stack.map_or(base.stack, |Size(bytes)| bytes),
            tables: self.tables.map_or(base.tables, |Count(number)| number),
            handles: self.handles.map_or(base.handles, |Count(number)| number),
            passed: self.passed.map_or(base.passed, |Size(bytes)| bytes),
            calls: self.calls.map_or(base.calls, |Count(number)| Some(number)),
        }
    }
}

/// Limits as sandbar.yaml writes them, by key; without `calls` if that follows from the slots.
pub fn written(limits: &Limits) -> Vec<(&'static str, String)> {
    let calls = limits.calls.map(|calls| ("calls", calls.to_string()));
    let others = [
        ("time", Time(limits.time).to_string()),
        ("cpu", Time(limits.cpu).to_string()),
        ("memory", size(limits.memory)),
        ("requests", limits.requests.to_string()),
        ("read", size(limits.read)),
        ("handed", size(limits.handed)),
        ("logs", size(limits.logs)),
        ("result", size(limits.result)),
        ("page", limits.page.to_string()),
        ("logged", size(limits.logged)),
        ("progress", limits.progress.to_string()),
        ("stack", size(limits.stack)),
        ("tables", limits.tables.to_string()),
        ("handles", limits.handles.to_string()),
        ("passed", size(limits.passed)),
    ];
    others.into_iter().chain(calls).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_and_every_limit_can_be_set() {
        let other = Limits {
            time: std::time::Duration::from_millis(1500),
            cpu: std::time::Duration::from_secs(120),
            memory: 2 << 20,
            requests: 2,
            read: 3,
            handed: 4,
            logs: 5,
            result: 6 << 10,
            page: 7,
            logged: 8,
            progress: 9,
            stack: 65 << 10,
            tables: 10,
            handles: 11,
            passed: 12,
            calls: Some(13),
        };
        let file: serde_json::Map<_, _> =
            written(&other).into_iter().map(|(key, value)| (key.to_owned(), json!(value))).collect();
        let read: LimitsConfig = serde_json::from_value(file.into()).expect("its own words");
        assert_eq!(read.over(&Limits::default()), other);
        assert_eq!(LimitsConfig::default().over(&other), other, "what is absent is inherited");
    }
}
