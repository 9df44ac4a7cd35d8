//! What is said of a wrong command line. clap says most of it, but knows neither that a value came from a variable nor what a flag of
//! another program is called here (`elsewhere`).

use std::ffi::OsString;

use clap::Command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

use super::elsewhere::meant;
use super::environment;

/// The error about these arguments, in words that help.
pub(super) fn explained(mut error: Error, command: &Command, arguments: &[OsString]) -> Error {
    let tip = |text: String| ContextValue::StyledStrs(vec![StyledStr::from(text)]);
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg).cloned() else {
        // The one kind that names nothing.
        if error.kind() == ErrorKind::InvalidUtf8 && arguments.iter().all(|argument| argument.to_str().is_some()) {
            let is_wrong = |name: &&str| std::env::var_os(name).is_some_and(|value| value.to_str().is_none());
            let wrong = environment::flags(command).map(|(_, variable)| variable).find(is_wrong);
            if let Some(wrong) = wrong {
                error.insert(ContextKind::Suggested, tip(format!("the value of {wrong} is no UTF-8")));
            }
        }
        return error;
    };
    let name = flag.trim_start_matches('-').split([' ', '=', '[']).next().unwrap_or_default();
    if error.kind() == ErrorKind::UnknownArgument {
        if let Some(meant) = meant(name) {
            // They would name a flag that is only spelt like this one.
            error.remove(ContextKind::SuggestedArg);
            error.remove(ContextKind::Usage);
            error.insert(ContextKind::Suggested, tip(meant.to_owned()));
        }
        return error;
    }
    let variable = environment::flags(command).find(|(flag, _)| flag.get_long() == Some(name)).map(|(_, variable)| variable);
    let is_given = arguments
        .iter()
        .filter_map(|argument| argument.to_str()?.strip_prefix("--"))
        .any(|argument| argument.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('=')));
    if let Some(variable) = variable.filter(|_| !is_given) {
        error.insert(ContextKind::InvalidArg, ContextValue::String(format!("{variable} ({flag})")));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    /// What is said of a command line, without looking into this process's environment.
    fn said(arguments: &[&str]) -> String {
        let arguments: Vec<OsString> = std::iter::once(&"sandbar").chain(arguments).map(OsString::from).collect();
        let error = Cli::command().try_get_matches_from(&arguments).expect_err("a mistake");
        explained(error, &Cli::command(), &arguments).to_string()
    }

    #[test]
    fn a_flag_of_kubectls_is_answered_with_what_does_the_same() {
        for (arguments, meant) in [
            (&["serve", "--kubeconfig", "x"][..], "$KUBECONFIG"),
            (&["serve", "--kubeconfig=x"], "$KUBECONFIG"),
            (&["tools", "--context", "dev"], "--cluster kubeconfig:CONTEXT"),
            (&["call", "get_events", "--context=dev"], "--cluster kubeconfig:CONTEXT"),
            (&["call", "-n", "team-a", "get_events"], "{\"namespace\":\"NAME\"}"),
            (&["call", "get_events", "{}", "--namespace", "team-a"], "--namespaces NAME"),
            (&["serve", "-A"], "--namespaces"),
            (&["serve", "--port", "80"], "--listen 127.0.0.1:PORT"),
            (&["serve", "-p", "80"], "--listen 127.0.0.1:PORT"),
            (&["serve", "-v"], "SANDBAR_LOG=debug"),
            (&["rbac", "--user", "me"], "--user=USER"),
            // What clap knows by itself stays.
            (&["serve", "--lisen", "x"], "'--listen'"),
            (&["serve", "--tool", "x"], "'--tools'"),
        ] {
            let said = said(arguments);
            assert!(said.contains("unexpected argument") && said.contains(meant), "{arguments:?}: {said}");
            assert!(!said.contains("--config"), "{arguments:?}: {said}");
        }
        assert!(said(&["serve", "--listen", "80"]).contains("for '--listen <ADDRESS:PORT>'"));
    }
}
