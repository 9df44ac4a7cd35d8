//! What is true of the bundled tools as components: what they import, what they tell the model, and how large they are.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;

use flate2::read::ZlibDecoder;
use serde_json::Value;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentNamedList, Lift, Linker, Lower};
use wasmtime::{Engine, ResourceLimiter, Store};

include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

fn unpacked(packed: &[u8]) -> Vec<u8> {
    let mut component = Vec::new();
    ZlibDecoder::new(packed).read_to_end(&mut component).expect("what the build script has compressed");
    component
}

/// What a component may weigh: those of the packs that are on are compiled at start. The largest are explain, which knows what can be wrong
/// with a dozen kinds, and find_problems, which is built for speed beside that.
const COMPONENT_BYTES: usize = 512 * 1024;

/// The interfaces that this test calls.
const TOOLS: &str = "sandbar:tool/tools@0.1.0";
const RESOURCES: &str = "sandbar:tool/resources@0.1.0";

/// How often a memory has grown.
#[derive(Default)]
struct Growths(usize);

impl ResourceLimiter for Growths {
    fn memory_growing(&mut self, current: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        self.0 += usize::from(current > 0);
        Ok(true)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

struct Bundled {
    engine: Engine,
    components: BTreeMap<&'static str, Component>,
}

impl Bundled {
    fn compiled() -> Self {
        let engine = Engine::default();
        let compile = |packed| Component::new(&engine, unpacked(packed)).expect("a component that is valid");
        let components = BUNDLED.iter().map(|&(_, file, packed)| (file, compile(packed))).collect();
        Self { engine, components }
    }

    /// The functions that a component imports, each with its interface.
    fn imports(&self, file: &str) -> BTreeSet<String> {
        let component = self.components[file].component_type();
        let mut functions = BTreeSet::new();
        for (interface, import) in component.imports(&self.engine) {
            let ComponentItem::ComponentInstance(instance) = import.ty else {
                panic!("{file} imports {interface}, no interface")
            };
            for (name, export) in instance.exports(&self.engine) {
                if matches!(export.ty, ComponentItem::ComponentFunc(_)) {
                    functions.insert(format!("{interface} {name}"));
                }
            }
        }
        functions
    }

    /// Calls one of the component's exports. The host functions trap. No such call makes its memory grow: see `build/heap.rs`.
    fn call<A, R>(&self, file: &str, interface: &str, export: &str, arguments: A) -> R
    where
        A: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        let component = &self.components[file];
        let mut linker = Linker::<Growths>::new(&self.engine);
        linker.define_unknown_imports_as_traps(component).expect("a linker");
        let mut store = Store::new(&self.engine, Growths::default());
        store.limiter(|growths| growths);
        let instance = linker.instantiate(&mut store, component).expect("an instance");
        let exports = instance.get_export_index(&mut store, None, interface).expect("the interface");
        let function = instance.get_export_index(&mut store, Some(&exports), export).expect("the export");
        let function = instance.get_typed_func::<A, R>(&mut store, &function).expect("the contract's type");
        let answer = function.call(&mut store, arguments).expect("an answer without the host");
        assert_eq!(store.data().0, 0, "the memory of {file} has grown");
        answer
    }

    fn manifest(&self, file: &str) -> Value {
        let (manifest,): (String,) = self.call(file, TOOLS, "manifest", ());
        serde_json::from_str(&manifest).expect("JSON")
    }
}

/// The import section is a tool's request for permission: it holds what the tool is for, the log for its panics, and no WASI.
#[test]
fn a_tool_imports_only_what_it_is_for() {
    const GET: &str = "sandbar:kubernetes/read@0.1.0 get-object";
    const LIST: &str = "sandbar:kubernetes/read@0.1.0 list-objects";
    let bundled = Bundled::compiled();
    const LIST_MANY: &str = "sandbar:kubernetes/read-many@0.1.0 list-many";
    const KINDS: &str = "sandbar:kubernetes/discovery@0.1.0 served-kinds";
    const NOW: &str = "sandbar:tool/context@0.1.0 now-ms";
    const TAIL: &str = "sandbar:kubernetes/logs@0.1.0 tail";
    let expected: [(&str, &[&str]); 18] = [
        ("check-health.wasm", &["sandbar:kubernetes/health@0.1.0 api-server"]),
        ("explain.wasm", &[GET, LIST, LIST_MANY, "sandbar:kubernetes/read-many@0.1.0 get-many", KINDS, TAIL, NOW]),
        ("find-problems.wasm", &[LIST, LIST_MANY, NOW]),
        ("get-control-plane-deployment-status.wasm", &[GET, LIST]),
        ("get-control-plane-status.wasm", &[GET]),
        ("get-events.wasm", &[LIST]),
        ("get-pod-logs.wasm", &[TAIL]),
        ("get-resource.wasm", &[GET, LIST, KINDS]),
        ("get-service-status.wasm", &[GET, LIST]),
        ("get-template.wasm", &[GET, LIST]),
        ("get-workspace.wasm", &[GET, LIST]),
        ("list-control-plane-pods.wasm", &[LIST]),
        ("list-control-planes.wasm", &[LIST]),
        ("list-resources.wasm", &[LIST, "sandbar:kubernetes/table@0.1.0 list-table", KINDS, NOW]),
        ("list-templates.wasm", &[LIST]),
        ("list-workspaces.wasm", &[LIST]),
        ("search-logs.wasm", &[GET, LIST, "sandbar:kubernetes/logs-many@0.1.0 tail-many"]),
        ("top.wasm", &[LIST]),
    ];
    assert_eq!(bundled.components.keys().copied().collect::<Vec<_>>(), expected.map(|(file, _)| file));
    for (file, capabilities) in expected {
        let expected = [capabilities, &["sandbar:tool/logging@0.1.0 log"]].concat().into_iter().map(str::to_owned).collect();
        assert_eq!(bundled.imports(file), expected, "{file}");
    }
}

#[test]
fn the_rules_are_the_least_that_the_tools_need() {
    let bundled = Bundled::compiled();
    let rules: BTreeMap<&str, String> = bundled
        .components
        .keys()
        .map(|&file| {
            let rules = bundled.manifest(file)["rules"].take();
            let rules = rules.as_array().into_iter().flatten();
            (file, rules.map(|rule| format!("{} {} {}", rule["apiGroups"], rule["resources"], rule["verbs"])).collect())
        })
        .collect();
    let expected = [
        ("check-health.wasm", ""),
        ("explain.wasm", r#"["*"] ["*"] ["get","list"][""] ["pods/log"] ["get"]"#),
        (
            "find-problems.wasm",
            r#"[""] ["events","persistentvolumeclaims","pods","services"] ["list"]["apps"] ["daemonsets","deployments","replicasets","statefulsets"] ["list"]["autoscaling"] ["horizontalpodautoscalers"] ["list"]["batch"] ["jobs"] ["list"]["discovery.k8s.io"] ["endpointslices"] ["list"]"#,
        ),
        ("get-control-plane-deployment-status.wasm", r#"["apps"] ["deployments"] ["get","list"]"#),
        ("get-control-plane-status.wasm", r#"["coder.com"] ["codercontrolplanes"] ["get"]"#),
        ("get-events.wasm", r#"[""] ["events"] ["list"]"#),
        ("get-pod-logs.wasm", r#"[""] ["pods/log"] ["get"]"#),
        ("get-resource.wasm", r#"["*"] ["*"] ["get","list"]"#),
        ("get-service-status.wasm", r#"[""] ["services"] ["get","list"]"#),
        ("get-template.wasm", r#"["aggregation.coder.com"] ["codertemplates"] ["get","list"]"#),
        ("get-workspace.wasm", r#"["aggregation.coder.com"] ["coderworkspaces"] ["get","list"]"#),
        ("list-control-plane-pods.wasm", r#"[""] ["pods"] ["list"]"#),
        ("list-control-planes.wasm", r#"["coder.com"] ["codercontrolplanes"] ["list"]"#),
        ("list-resources.wasm", r#"["*"] ["*"] ["list"]"#),
        ("list-templates.wasm", r#"["aggregation.coder.com"] ["codertemplates"] ["list"]"#),
        ("list-workspaces.wasm", r#"["aggregation.coder.com"] ["coderworkspaces"] ["list"]"#),
        (
            "search-logs.wasm",
            r#"[""] ["pods"] ["get","list"][""] ["pods/log"] ["get"]["apps"] ["deployments","statefulsets","daemonsets","replicasets"] ["get","list"]["batch"] ["jobs","cronjobs"] ["get","list"]"#,
        ),
        ("top.wasm", r#"[""] ["pods"] ["list"]["metrics.k8s.io"] ["pods"] ["list"]"#),
    ];
    assert_eq!(rules, expected.map(|(file, rules)| (file, rules.to_owned())).into());
}

#[test]
fn a_file_has_the_name_of_its_tool() {
    let bundled = Bundled::compiled();
    for &file in bundled.components.keys() {
        let manifest = bundled.manifest(file);
        let tools = manifest["tools"].as_array().expect("a list of tools");
        let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().expect("a name").replace('_', "-") + ".wasm").collect();
        assert_eq!(names, [file]);
    }
}

#[test]
fn components_are_small_and_know_no_machine() {
    for (_, file, packed) in BUNDLED {
        let bytes = unpacked(packed);
        assert!(bytes.len() < COMPONENT_BYTES, "{file} is {} bytes", bytes.len());
        let text = String::from_utf8_lossy(&bytes);
        for folder in [env!("CARGO_MANIFEST_DIR"), "/.cargo/"] {
            assert!(!text.contains(folder), "{file} names {folder}");
        }
    }
}

/// The manifest inside a component is the file that people review.
#[test]
fn a_manifest_is_the_file_beside_the_source() {
    let bundled = Bundled::compiled();
    for (pack, file, _) in BUNDLED {
        let tool = file.trim_end_matches(".wasm");
        let path = format!("{}/../../guest-tools/{pack}/{tool}/manifest.json", env!("CARGO_MANIFEST_DIR"));
        let reviewed: Value = serde_json::from_str(&std::fs::read_to_string(path).expect("a manifest file")).expect("JSON");
        assert_eq!(bundled.manifest(file), reviewed, "{file}");
    }
}

#[test]
fn a_refusal_comes_back_as_text_for_the_model() {
    let bundled = Bundled::compiled();
    let call = |file: &str, tool: &str, arguments: &str| {
        let (answer,): (Result<String, String>,) = bundled.call(file, TOOLS, "call", (tool, arguments));
        answer.expect_err("a refusal")
    };
    assert_eq!(call("get-events.wasm", "get_events", r#"{"namespace":""}"#), "namespace is required");
    assert_eq!(call("get-pod-logs.wasm", "get_pod_logs", r#"{"namespace":"team-a","name":""}"#), "name is required");
}

#[test]
fn the_document_of_a_tool_names_each_of_its_arguments() {
    let bundled = Bundled::compiled();
    for (_, file, _) in BUNDLED.iter().filter(|(pack, ..)| *pack == "kubernetes") {
        let manifest = bundled.manifest(file);
        let (tool, uri) = (&manifest["tools"][0], manifest["resources"][0]["uri"].as_str().expect("a document"));
        assert_eq!(uri, format!("sandbar://{}/tool.md", file.trim_end_matches(".wasm")));
        let (read,): (Result<String, String>,) = bundled.call(file, RESOURCES, "read", (uri,));
        let read: Value = serde_json::from_str(&read.expect("a document")).expect("JSON");
        let text = read["contents"][0]["text"].as_str().expect("text");
        let arguments = tool["inputSchema"]["properties"].as_object().expect("arguments");
        for argument in arguments.keys() {
            assert!(text.contains(&format!("`{argument}`")), "{uri} does not name {argument}");
        }
    }
}

/// By these groups it is found out which packs are of use in a cluster.
#[test]
fn a_pack_has_the_groups_that_its_tools_ask_for() {
    let bundled = Bundled::compiled();
    for &(pack, groups, _) in PACKS {
        let asked = BUNDLED.iter().filter(|(of, ..)| *of == pack).flat_map(|(_, file, _)| {
            let manifest = bundled.manifest(file);
            let rules = ["rules", "clusterRules"].map(|key| manifest[key].as_array().cloned().unwrap_or_default()).concat();
            rules.into_iter().flat_map(|rule| rule["apiGroups"].as_array().cloned().unwrap_or_default())
        });
        let asked: BTreeSet<String> = asked.map(|group| group.as_str().expect("a group").to_owned()).collect();
        assert_eq!(asked, groups.iter().map(|group| (*group).to_owned()).collect(), "{pack}");
    }
}
