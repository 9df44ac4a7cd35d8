//! Shows the operator how to grant what a component lacks: YAML to paste into sandbar.yaml.

use std::fmt::{self, Display};
use std::path::Path;

use sandbar_catalog::{Missing, Problem, Reason, Source};

use super::Config;

/// Where missing rules have to be pasted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ConfigEntry {
    /// There is no `tools` yet.
    NoTools,
    /// `tools` has no entry for this component.
    None,
    /// `tools` has an entry for this component, and in it these keys or not.
    Some { rules: bool, cluster_rules: bool },
}

impl Config {
    /// Describes a problem for the operator, with a way to grant missing rights.
    pub fn described(&self, problem: &Problem) -> String {
        match (&problem.source, &problem.reason) {
            (Source::File(file), Reason::NotGranted(missing)) => format!("{problem}; {}", self.how_to_grant(file, missing)),
            _ => problem.to_string(),
        }
    }

    /// Shows how to grant a component's file what it lacks.
    pub fn how_to_grant(&self, file: &Path, missing: &Missing) -> impl Display {
        let entry = match self.tool(&Source::File(file.to_owned())) {
            Some(tool) => ConfigEntry::Some { rules: !tool.rules.is_empty(), cluster_rules: !tool.cluster_rules.is_empty() },
            None if self.tools.is_empty() => ConfigEntry::NoTools,
            None => ConfigEntry::None,
        };
        // Relative paths start at the directory of sandbar.yaml there, and at the working directory in a flag.
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        HowToGrant { component: yaml_string(&file.to_string_lossy()), missing: missing.clone(), entry }
    }
}

struct HowToGrant {
    component: String,
    missing: Missing,
    entry: ConfigEntry,
}

impl Display for HowToGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without who calls it is not loaded, whatever else is granted.
        f.write_str(if self.missing.caller {
            "to grant the rest, add "
        } else {
            "`partialGrant: true` loads it with what it is granted, and to grant the rest, add "
        })?;
        match self.entry {
            ConfigEntry::NoTools => write!(f, "to sandbar.yaml:\ntools:\n  - component: {}", self.component)?,
            ConfigEntry::None => write!(f, "to `tools` in sandbar.yaml:\n  - component: {}", self.component)?,
            ConfigEntry::Some { .. } => write!(f, "this to its entry in sandbar.yaml:")?,
        }
        if self.missing.caller {
            write!(f, "\n    caller: true")?;
        }
        let (has_rules, has_cluster_rules) = match self.entry {
            ConfigEntry::Some { rules, cluster_rules } => (rules, cluster_rules),
            ConfigEntry::NoTools | ConfigEntry::None => (false, false),
        };
        let all = [("rules", &self.missing.rules, has_rules), ("clusterRules", &self.missing.cluster_rules, has_cluster_rules)];
        for (key, rules, is_there) in all {
            if rules.is_empty() {
                continue;
            }
            if is_there {
                // A key can stand there once.
                write!(f, "\n    # below the others of `{key}`:")?;
            } else {
                write!(f, "\n    {key}:")?;
            }
            for rule in rules {
                // JSON is YAML; one rule a line reads well.
                write!(f, "\n      - {}", serde_json::to_string(rule).map_err(|_| fmt::Error)?)?;
            }
        }
        Ok(())
    }
}

/// A string as a YAML scalar, in quotes if YAML could read it as something else. JSON's quotes are valid in YAML.
fn yaml_string(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'_' | b'-');
    if text.starts_with('/') && text.bytes().all(is_plain) { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use sandbar_policy::PolicyRule;
    use sandbar_policy::Verb::{Get, List};

    use super::*;

    #[test]
    fn what_is_missing_can_be_pasted() {
        let missing = Missing {
            rules: vec![PolicyRule::new("", &["pods"], &[List])],
            cluster_rules: vec![PolicyRule::new("", &["nodes"], &[Get])],
            caller: false,
        };
        let rules = "\n    rules:\n      - {\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"list\"]}\
                     \n    clusterRules:\n      - {\"apiGroups\":[\"\"],\"resources\":[\"nodes\"],\"verbs\":[\"get\"]}";
        for (config, head) in [
            ("", "sandbar.yaml:\ntools:\n  - component: /t/a.wasm"),
            ("tools: [{ component: /t/b.wasm }]", "`tools` in sandbar.yaml:\n  - component: /t/a.wasm"),
            ("tools: [{ component: /t/a.wasm }]", "this to its entry in sandbar.yaml:"),
        ] {
            let config = Config::parse(config, Path::new("/")).expect("a configuration");
            let words = config.how_to_grant(Path::new("/t/a.wasm"), &missing).to_string();
            assert!(words.ends_with(&format!("{head}{rules}")), "{words}");
        }
        let some = "tools: [{ component: /t/a.wasm, rules: [{ apiGroups: [\"\"], resources: [events], verbs: [list] }] }]";
        let config = Config::parse(some, Path::new("/")).expect("a configuration");
        let words = config.how_to_grant(Path::new("/t/a.wasm"), &missing).to_string();
        assert!(words.ends_with(&rules.replace("    rules:", "    # below the others of `rules`:")), "{words}");
        let caller = Missing { caller: true, ..Missing::default() };
        let words = config.how_to_grant(Path::new("/t/a.wasm"), &caller).to_string();
        assert_eq!(words, "to grant the rest, add this to its entry in sandbar.yaml:\n    caller: true");
    }
}
