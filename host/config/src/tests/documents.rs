//! The documentation and the schema agree with the types.

use std::path::{Path, PathBuf};

use sandbar_kubernetes::ClusterSource;
use sandbar_policy::Limits;
use serde_json::Value;

use crate::quantity::Time;
use crate::{Config, schema, written_limits};

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn the_shipped_schema_is_that_of_the_types() {
    let path = Path::new(ROOT).join("docs/reference/sandbar.schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let shipped = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        text == shipped,
        "{} is out of date: UPDATE_GOLDEN=1 cargo test -p sandbar-config the_shipped_schema writes it anew",
        path.display()
    );
}

/// The rows of the tables between a heading and the next one: the code in the first column, and the second column.
fn rows(document: &str, heading: &str) -> Vec<(String, String)> {
    let (_, rest) = document.split_once(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no {heading}"));
    let section = rest.split("\n#").next().unwrap_or(rest);
    let cells = |line: &str| -> Option<(String, String)> {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let key = cells.next()?.split('`').next()?.to_owned();
        Some((key, cells.next()?.trim_matches(['`', ' ']).to_owned()))
    };
    section.lines().filter_map(cells).collect()
}

fn keys(properties: &Value) -> Vec<&str> {
    properties.as_object().expect("an object of properties").keys().map(String::as_str).collect()
}

#[test]
fn every_key_is_documented_with_its_default() {
    let document = read("docs/reference/configuration.md");
    let schema = schema();
    for (heading, properties) in [
        ("## sandbar.yaml", &schema["properties"]),
        ("### clusters", &schema["definitions"]["Cluster"]["properties"]),
        ("### tls", &schema["definitions"]["Tls"]["properties"]),
        ("### metrics", &schema["definitions"]["Metrics"]["properties"]),
        ("### traces", &schema["definitions"]["Traces"]["properties"]),
        ("### authorization", &schema["definitions"]["Authorization"]["properties"]),
        ("### apiService", &schema["definitions"]["ApiService"]["properties"]),
        ("### authorization.tools", &schema["definitions"]["ToolAccess"]["properties"]),
        ("### tools", &schema["definitions"]["Tool"]["properties"]),
        ("### bundled", &schema["definitions"]["Bundled"]["properties"]),
        ("### bundled.tools", &schema["definitions"]["BundledTool"]["properties"]),
        ("### ignoredArguments", &schema["definitions"]["IgnoredArguments"]["properties"]),
        ("### limits", &schema["definitions"]["Limits"]["properties"]),
    ] {
        let rows = rows(&document, heading);
        let documented: Vec<&str> = rows.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(documented, keys(properties), "the keys under {heading}, in the order of the types");
        assert!(rows.iter().all(|(_, default)| !default.is_empty()), "{heading}: {rows:?}");
    }
    let defaults = Config::default();
    let top = rows(&document, "## sandbar.yaml");
    for (key, default) in [
        ("listen", defaults.listen.to_string()),
        ("cluster", ClusterSource::default().to_string()),
        ("callsPerSecond", defaults.calls_per_second.to_string()),
        ("connections", defaults.connections.to_string()),
        ("drain", Time(defaults.drain).to_string()),
    ] {
        assert!(top.contains(&(key.to_owned(), default.clone())), "{key}: {default}");
    }
    let limits = rows(&document, "### limits");
    for (key, default) in written_limits(&Limits::default()) {
        assert!(limits.contains(&(key.to_owned(), default.clone())), "the default of {key} is {default}: {limits:?}");
    }
}

/// Every sandbar.yaml in a document: YAML blocks that begin with one of its keys.
fn examples(document: &str) -> Vec<String> {
    let known = schema();
    let known = keys(&known["properties"]);
    let is_ours = |block: &str| {
        let first = block.lines().find(|line| !line.starts_with('#') && !line.is_empty()).unwrap_or_default();
        // A file of cases has a `cluster`, too, and the chart's values are its own.
        let is_of_others = block.starts_with("# values.yaml\n") || block.lines().any(|line| line == "cases:");
        first.split_once(':').is_some_and(|(key, _)| known.contains(&key)) && !is_of_others
    };
    let blocks = document.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| is_ours(block)).map(str::to_owned).collect()
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

#[test]
fn every_example_is_valid_for_the_schema_and_for_the_server() {
    let mut examples_by_file = vec![("deploy".to_owned(), vec![read("deploy/overlays/namespaced/sandbar.yaml")])];
    let mut files = Vec::new();
    markdown(&Path::new(ROOT).join("docs"), &mut files);
    // Its YAML is of the values of the chart.
    files.retain(|file| !file.ends_with("how-to/helm.md"));
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        examples_by_file.push((file.display().to_string(), examples(&text)));
    }
    let schema = jsonschema::validator_for(&schema()).expect("a schema");
    let mut checked = 0;
    for (file, examples) in &examples_by_file {
        for example in examples {
            let value: Value = serde_saphyr::from_str(example).unwrap_or_else(|error| panic!("{file}: {error}\n{example}"));
            assert!(schema.is_valid(&value), "{file}: {:?}\n{example}", schema.iter_errors(&value).collect::<Vec<_>>());
            if let Err(mistakes) = Config::parse(example, Path::new("")) {
                panic!("{file}: {mistakes:?}\n{example}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 4, "only {checked} examples were found");
}

#[test]
fn the_schema_refuses_what_the_server_refuses() {
    let schema = jsonschema::validator_for(&schema()).expect("a schema");
    for wrong in [
        "lisen: 127.0.0.1:80",
        "cluster: nowhere",
        "namespaces: team-a",
        "namespaces: [Team_A]",
        "namespaces:",
        "limits: { time: 5 }",
        "limits: { time: 0s }",
        "limits: { memory: 0 }",
        "limits: { page: 0 }",
        "limits: { cpus: 1s }",
        "origins: [inspector.example.com]",
        "authorization: { rights: everybody }",
        "authorization: { extra: }",
        "tools: [{ rules: [] }]",
        "connections: 7",
        "metrics: 127.0.0.1:9090",
        "metrics: {}",
        "metrics: { listen: 9090 }",
        "ignoredArguments: [traceId]",
        "ignoredArguments: { known: all }",
        "bundled: { tools: { get_log: {} } }",
        "bundled: { packs: [codr] }",
        "bundled: { packs: coder }",
        "bundled: { packs: [auto] }",
        "bundled: { tools: { get_events: { rules: [] } } }",
        "bundled: { tools: { get_events: { namespaces: [Team_A] } } }",
        "tools: [{ component: a, rules: [{ apiGroups: [], resources: [pods], verbs: [get] }] }]",
        "tools: [{ component: a, rules: [{ apiGroups: [''], resources: [pods], verbs: [delete] }] }]",
        "tools: [{ component: a, limits: { time: fast } }]",
    ] {
        let value: Value = serde_saphyr::from_str(wrong).expect("YAML");
        assert!(!schema.is_valid(&value), "the schema takes {wrong}");
        assert!(Config::parse(wrong, Path::new("")).is_err(), "the server takes {wrong}");
    }
}
