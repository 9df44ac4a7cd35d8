//! The variables `SANDBAR_*` of the environment: which there are, and what one that there is not was meant to be.

use std::ffi::{OsStr, OsString};

use clap::{Arg, Command};
use sandbar_text::nearest;

use super::elsewhere::meant;

const PREFIX: &str = "SANDBAR_";

/// Components to load. Read by hand, see the flag.
pub(super) const TOOLS: &str = "SANDBAR_TOOLS";

/// The secret that session ids are signed with. No flag has it: others see the command line of a process.
pub(super) const SESSION_KEY: &str = "SANDBAR_SESSION_KEY";

/// The token that `sandbar connect` says with who its user is.
pub(super) const TOKEN: &str = "SANDBAR_TOKEN";

/// The log's filter.
pub(super) const LOG: &str = "SANDBAR_LOG";

/// The log's format.
pub(super) const LOG_FORMAT: &str = "SANDBAR_LOG_FORMAT";

/// Those that clap does not know of.
const OWN: [&str; 5] = [TOOLS, SESSION_KEY, TOKEN, LOG, LOG_FORMAT];

/// The flags that have a variable, each with its variable.
pub(super) fn flags(command: &Command) -> impl Iterator<Item = (&Arg, &str)> {
    let flags = command.get_subcommands().flat_map(Command::get_arguments);
    flags.filter_map(|flag| Some((flag, flag.get_env()?.to_str()?)))
}

/// What to say of each variable that is called like one of Sandbar's and that nothing reads.
pub(super) fn unread(command: &Command, variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<String> {
    let known: Vec<&str> = flags(command).map(|(_, variable)| variable).chain(OWN).collect();
    let keys: Vec<&str> = known.iter().filter_map(|known| known.strip_prefix(PREFIX)).collect();
    let said = variables.filter_map(|(name, value)| {
        let name = name.to_string_lossy();
        // All but the case of a right one is a misspelt one, too.
        let key = name.get(PREFIX.len()..).filter(|_| name[..PREFIX.len()].eq_ignore_ascii_case(PREFIX))?;
        if known.contains(&&*name) || is_of_a_service(key, &value) {
            return None;
        }
        let tip = match (meant(&key.to_ascii_lowercase().replace('_', "-")), nearest(key, &keys)) {
            (Some(tip), _) => tip.to_owned(),
            (None, Some(nearest)) => format!("did you mean `{PREFIX}{nearest}`?"),
            (None, None) => "`sandbar serve --help` shows those that there are".to_owned(),
        };
        Some(format!("nothing reads the variable `{name}`; {tip}"))
    });
    let mut said: Vec<String> = said.collect();
    said.sort_unstable();
    said
}

/// Whether Kubernetes has set it, as it does in each pod for each Service of the namespace: for one that is called `sandbar` or
/// `sandbar-metrics`.
fn is_of_a_service(key: &str, value: &OsStr) -> bool {
    // With the underscore before it, so that the Service `sandbar` is one without a name.
    let key = format!("_{key}");
    if key.ends_with("_SERVICE_HOST") || key.ends_with("_SERVICE_PORT") || key.contains("_SERVICE_PORT_") {
        return true;
    }
    if key.ends_with("_PORT") && value.to_string_lossy().contains("://") {
        // Of a person's `SANDBAR_PORT=8090` it is said that it has no effect.
        return true;
    }
    let of_port = ["_PROTO", "_PORT", "_ADDR"].iter().find_map(|end| key.strip_suffix(end)).unwrap_or(&key);
    let port = ["_TCP", "_UDP", "_SCTP"].iter().find_map(|protocol| of_port.strip_suffix(protocol));
    port.is_some_and(|port| port.trim_end_matches(|digit: char| digit.is_ascii_digit()).ends_with("_PORT_"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    fn said(name: &str, value: &str) -> Option<String> {
        let mut said = unread(&Cli::command(), [(name.into(), value.into())].into_iter());
        assert!(said.len() <= 1, "{said:?}");
        said.pop()
    }

    #[test]
    fn a_misspelt_variable_is_told_with_the_right_one() {
        for (name, meant) in [
            ("SANDBAR_LISEN", "`SANDBAR_LISTEN`?"),
            ("sandbar_listen", "`SANDBAR_LISTEN`?"),
            ("Sandbar_Cluster", "`SANDBAR_CLUSTER`?"),
            ("SANDBAR_NAMESPACE", "`SANDBAR_NAMESPACES`"),
            ("SANDBAR_NAME_SPACES", "`SANDBAR_NAMESPACES`?"),
            ("SANDBAR_TOOL", "`SANDBAR_TOOLS`?"),
            ("SANDBAR_LIMITS_TIME", "`SANDBAR_LIMIT_TIME`?"),
            ("SANDBAR_LIMIT_MEM", "`SANDBAR_LIMIT_MEMORY`?"),
            ("SANDBAR_LOGFORMAT", "`SANDBAR_LOG_FORMAT`?"),
            ("SANDBAR_LOG_LEVEL", "`SANDBAR_LOG"),
            ("SANDBAR_SESSIONKEY", "`SANDBAR_SESSION_KEY`?"),
            ("SANDBAR_CACHEDIR", "`SANDBAR_CACHE_DIR`?"),
            ("SANDBAR_KUBECONFIG", "$KUBECONFIG"),
            ("SANDBAR_CONTEXT", "kubeconfig:CONTEXT"),
            ("SANDBAR_PORT", "--listen"),
            ("SANDBAR_REPLICAS", "--help"),
            ("SANDBAR_", "--help"),
        ] {
            let said = said(name, "8090").unwrap_or_default();
            assert!(said.contains(&format!("`{name}`")) && said.contains(meant), "{name}: {said}");
        }
        for name in OWN.into_iter().chain(flags(&Cli::command()).map(|(_, variable)| variable)) {
            assert_eq!(said(name, "x"), None);
        }
        for name in ["SANDBAR", "SANDBOX_LISTEN", "MY_SANDBAR_LISTEN", "SAND", "", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
            assert_eq!(said(name, "x"), None);
        }
    }

    #[test]
    fn what_kubernetes_sets_for_services_is_no_mistake() {
        for service in ["SANDBAR", "SANDBAR_METRICS", "SANDBAR_2", "SANDBAR_TOOLS_PORT"] {
            for (end, value) in [
                ("_SERVICE_HOST", "10.96.0.7"),
                ("_SERVICE_PORT", "8090"),
                ("_SERVICE_PORT_HTTP", "8090"),
                ("_SERVICE_PORT_HTTP_METRICS", "8090"),
                ("_PORT", "tcp://10.96.0.7:8090"),
                ("_PORT", "udp://[fd00::7]:53"),
                ("_PORT_8090_TCP", "tcp://10.96.0.7:8090"),
                ("_PORT_8090_TCP_PROTO", "tcp"),
                ("_PORT_8090_TCP_PORT", "8090"),
                ("_PORT_8090_TCP_ADDR", "10.96.0.7"),
                ("_PORT_53_UDP_ADDR", "10.96.0.7"),
                ("_PORT_9_SCTP", "sctp://10.96.0.7:9"),
            ] {
                assert_eq!(said(&format!("{service}{end}"), value), None, "{service}{end}");
            }
        }
        for (name, value) in [("SANDBAR_PORT", "8090"), ("SANDBAR_LISTEN_PORT", "8090"), ("SANDBAR_PORT_8090", "x")] {
            assert!(said(name, value).is_some(), "{name}");
        }
    }
}
