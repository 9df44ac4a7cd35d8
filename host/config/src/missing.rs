//! Shows the operator how to grant what a component lacks: YAML to paste into sandbar.yaml.

use std::fmt::{self, Display};

use sandbar_catalog::{Missing, Problem, Reason, Source};
use sandbar_registry::{Kind, NotLoaded};

use super::Config;

/// Where missing rules have to be pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ConfigEntry {
    /// There is no `tools` yet.
    NoTools,
    /// `tools` has no entry for this component.
    None,
    /// `tools` has an entry for this component, and in it these keys or not.
    Some(Keys),
    /// In the entry this cluster has rules of its own: these keys or not.
    Cluster(String, Keys),
}

/// Which keys are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Keys {
    rules: bool,
    cluster_rules: bool,
}

impl Config {
    /// Describes a problem for the operator, with a way to grant missing rights.
    pub fn described(&self, problem: &Problem) -> String {
        match (&problem.source, &problem.reason) {
            (source, Reason::NotGranted(missing)) => format!("{problem}; {}", self.how_to_grant(source, missing)),
            (_, Reason::Registry(NotLoaded::Registry(error))) if error.kind == Kind::Offline => {
                format!("{problem}; fill the cache with `sandbar pull`, or set `registries.pull: true` in sandbar.yaml")
            }
            _ => problem.to_string(),
        }
    }

    /// Shows how to grant a component what it lacks.
    pub fn how_to_grant(&self, source: &Source, missing: &Missing) -> impl Display {
        let entry = match self.tool(source) {
            Some(tool) => {
                let in_cluster =
                    missing.cluster.as_deref().and_then(|cluster| Some((cluster, tool.clusters.as_ref()?.get(cluster)?)));
                match in_cluster {
                    Some((cluster, own)) if own.rules.is_some() || own.cluster_rules.is_some() => {
                        let keys = Keys { rules: own.rules.is_some(), cluster_rules: own.cluster_rules.is_some() };
                        ConfigEntry::Cluster(cluster.to_owned(), keys)
                    }
                    _ => ConfigEntry::Some(Keys { rules: !tool.rules.is_empty(), cluster_rules: !tool.cluster_rules.is_empty() }),
                }
            }
            None if self.tools.is_empty() => ConfigEntry::NoTools,
            None => ConfigEntry::None,
        };
        // Relative paths start at the directory of sandbar.yaml there, and at the working directory in a flag.
        let component = match source {
            Source::File(file) => std::path::absolute(file).unwrap_or_else(|_| file.clone()).to_string_lossy().into_owned(),
            other => other.to_string(),
        };
        HowToGrant { component: yaml_string(&component), missing: missing.clone(), entry }
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
        match &self.entry {
            ConfigEntry::NoTools => write!(f, "to sandbar.yaml:\ntools:\n  - component: {}", self.component)?,
            ConfigEntry::None => write!(f, "to `tools` in sandbar.yaml:\n  - component: {}", self.component)?,
            ConfigEntry::Some(_) => write!(f, "this to its entry in sandbar.yaml:")?,
            ConfigEntry::Cluster(cluster, _) => {
                write!(f, "this to what its entry in sandbar.yaml has for the cluster {cluster:?}:")?;
            }
        }
        if self.missing.caller {
            write!(f, "\n    caller: true")?;
        }
        let (there, indent) = match self.entry {
            ConfigEntry::Some(keys) => (keys, "    "),
            ConfigEntry::Cluster(_, keys) => (keys, "        "),
            ConfigEntry::NoTools | ConfigEntry::None => (Keys::default(), "    "),
        };
        let all =
            [("rules", &self.missing.rules, there.rules), ("clusterRules", &self.missing.cluster_rules, there.cluster_rules)];
        for (key, rules, is_there) in all {
            if rules.is_empty() {
                continue;
            }
            if is_there {
                // A key can stand there once.
                write!(f, "\n{indent}# below the others of `{key}`:")?;
            } else {
                write!(f, "\n{indent}{key}:")?;
            }
            for rule in rules {
                // JSON is YAML; one rule a line reads well.
                write!(f, "\n{indent}  - {}", serde_json::to_string(rule).map_err(|_| fmt::Error)?)?;
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
    use std::path::Path;

    use sandbar_policy::PolicyRule;
    use sandbar_policy::Verb::{Get, List};

    use super::*;

    #[test]
    fn what_is_missing_can_be_pasted() {
        let missing = Missing {
            rules: vec![PolicyRule::new("", &["pods"], &[List])],
            cluster_rules: vec![PolicyRule::new("", &["nodes"], &[Get])],
            ..Missing::default()
        };
        let rules = "\n    rules:\n      - {\"apiGroups\":[\"\"],\"resources\":[\"pods\"],\"verbs\":[\"list\"]}\
                     \n    clusterRules:\n      - {\"apiGroups\":[\"\"],\"resources\":[\"nodes\"],\"verbs\":[\"get\"]}";
        for (config, head) in [
            ("", "sandbar.yaml:\ntools:\n  - component: /t/a.wasm"),
            ("tools: [{ component: /t/b.wasm }]", "`tools` in sandbar.yaml:\n  - component: /t/a.wasm"),
            ("tools: [{ component: /t/a.wasm }]", "this to its entry in sandbar.yaml:"),
        ] {
            let config = Config::parse(config, Path::new("/")).expect("a configuration");
            let words = config.how_to_grant(&Source::File("/t/a.wasm".into()), &missing).to_string();
            assert!(words.ends_with(&format!("{head}{rules}")), "{words}");
        }
        let some = "tools: [{ component: /t/a.wasm, rules: [{ apiGroups: [\"\"], resources: [events], verbs: [list] }] }]";
        let config = Config::parse(some, Path::new("/")).expect("a configuration");
        let words = config.how_to_grant(&Source::File("/t/a.wasm".into()), &missing).to_string();
        assert!(words.ends_with(&rules.replace("    rules:", "    # below the others of `rules`:")), "{words}");
        let of_cluster = "clusters: [{ name: hub, source: demo }, { name: dev, source: demo }]
tools: [{ component: /t/a.wasm, clusters: { hub: {}, dev: { rules: [{ apiGroups: [\"\"], resources: [events], verbs: [list] }] } } }]";
        let config = Config::parse(of_cluster, Path::new("/")).expect("a configuration");
        let within = |cluster: &str| Missing { cluster: Some(cluster.into()), ..missing.clone() };
        let words = config.how_to_grant(&Source::File("/t/a.wasm".into()), &within("dev")).to_string();
        let deeper = rules.replace('\n', "\n    ").replace("        rules:", "        # below the others of `rules`:");
        assert!(words.ends_with(&format!("has for the cluster \"dev\":{deeper}")), "{words}");
        let words = config.how_to_grant(&Source::File("/t/a.wasm".into()), &within("hub")).to_string();
        assert!(words.ends_with(&format!("this to its entry in sandbar.yaml:{rules}")), "{words}");
        let caller = Missing { caller: true, ..Missing::default() };
        let words = config.how_to_grant(&Source::File("/t/a.wasm".into()), &caller).to_string();
        assert_eq!(words, "to grant the rest, add this to its entry in sandbar.yaml:\n    caller: true");
    }
}
