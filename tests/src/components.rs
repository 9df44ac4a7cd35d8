//! Test components: one of Rust with the SDK, and others of WebAssembly text for what no toolchain would make.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::{Value, json};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::sandbar::scratch;

/// What guests are compiled for.
const TARGET: &str = "wasm32-unknown-unknown";

/// The contract, as text.
const CONTRACT: [&str; 2] = [include_str!("../../wit/tool/tool.wit"), include_str!("../../wit/kubernetes/kubernetes.wit")];

/// The component of `tests/components/hostile`, in a file of its name.
pub fn hostile() -> &'static PathBuf {
    static HOSTILE: LazyLock<PathBuf> = LazyLock::new(|| {
        let module = compile("hostile");
        let mut encoder = ComponentEncoder::default().validate(true).module(&module).expect("a module made with the SDK");
        let path = scratch("guests").join("hostile.wasm");
        std::fs::write(&path, encoder.encode().expect("a component")).expect("a file in the target directory");
        path
    });
    &HOSTILE
}

/// Compiles one of the crates in `tests/components`, as the build script of the host compiles the bundled tools.
fn compile(package: &str) -> Vec<u8> {
    let target_dir = scratch("guests");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--lib",
            "--target",
            TARGET,
            "--profile",
            "guest",
            "--package",
            package,
            "--target-dir",
        ])
        .arg(&target_dir)
        .status()
        .expect("cargo can be run");
    assert!(status.success(), "{package} does not compile");
    std::fs::read(target_dir.join(TARGET).join("guest").join(package).with_extension("wasm")).expect("cargo has made it")
}

/// A component of one tool, as WebAssembly text.
#[derive(Clone, Debug)]
pub struct Text {
    /// The contract's version that it is made for.
    pub version: &'static str,
    /// A package of its own and an interface of it that it imports, if any.
    pub import: Option<&'static str>,
    /// What `manifest` returns.
    pub manifest: String,
    /// What `call` returns.
    pub returns: String,
}

impl Text {
    /// One that asks for nothing and serves a tool of this name, which answers `{"ok":true}`.
    pub fn tool(name: &str) -> Self {
        Self {
            version: "0.1.0",
            import: None,
            manifest: manifest(&[name]).to_string(),
            returns: json!({ "structuredContent": { "ok": true } }).to_string(),
        }
    }

    /// The core module inside.
    pub fn module(&self) -> Vec<u8> {
        let Self { version, import, manifest, returns } = self;
        let import = import.map_or(String::new(), |import| format!(r#"(import "{import}" "do" (func))"#));
        let (at_manifest, at_returns) = (64, 64 + manifest.len());
        let text = format!(
            r#"(module
                {import}
                (memory (export "memory") 16)
                (global $free (mut i32) (i32.const 131072))
                (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                    (local $at i32)
                    (local.set $at (i32.and (i32.add (global.get $free) (i32.const 7)) (i32.const -8)))
                    (global.set $free (i32.add (local.get $at) (local.get 3)))
                    (local.get $at))
                ;; Two strings as the canonical ABI returns them: address and length, after the tag of a result for the second.
                (data (i32.const 0) "{manifest_at}{manifest_len}")
                (data (i32.const 16) "\00\00\00\00{returns_at}{returns_len}")
                (data (i32.const {at_manifest}) "{manifest_bytes}")
                (data (i32.const {at_returns}) "{returns_bytes}")
                (func (export "sandbar:tool/tools@{version}#manifest") (result i32) (i32.const 0))
                (func (export "sandbar:tool/tools@{version}#call") (param i32 i32 i32 i32) (result i32) (i32.const 16)))"#,
            manifest_at = escaped(&word(at_manifest)),
            manifest_len = escaped(&word(manifest.len())),
            returns_at = escaped(&word(at_returns)),
            returns_len = escaped(&word(returns.len())),
            manifest_bytes = escaped(manifest.as_bytes()),
            returns_bytes = escaped(returns.as_bytes()),
        );
        wat::parse_str(text).expect("WebAssembly text")
    }

    /// The component.
    pub fn component(&self) -> Vec<u8> {
        let mut resolve = Resolve::new();
        for text in CONTRACT {
            let text = text.replace("@0.1.0", &format!("@{}", self.version));
            resolve.push_str("contract.wit", &text).expect("the contract is WIT");
        }
        let (mut own, mut import) = (String::new(), String::new());
        if let Some(name) = self.import {
            let (package, rest) = name.split_once('/').expect("package/interface@version");
            let (interface, version) = rest.split_once('@').expect("package/interface@version");
            own = format!("package {package}@{version};\ninterface {interface} {{ do: func(); }}\n");
            import = format!("import {name};");
        }
        if !own.is_empty() {
            resolve.push_str("own.wit", &own).expect("WIT");
        }
        let world = format!("package tests:mine;\nworld mine {{ {import} export sandbar:tool/tools@{}; }}\n", self.version);
        let package = resolve.push_str("world.wit", &world).expect("WIT");
        let world = resolve.select_world(&[package], Some("mine")).expect("its world");
        let mut module = self.module();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("metadata");
        let mut encoder = ComponentEncoder::default().validate(true).module(&module).expect("a module with metadata");
        encoder.encode().expect("a component")
    }
}

/// A manifest of tools that take nothing.
pub fn manifest(tools: &[&str]) -> Value {
    let tools: Vec<Value> = tools
        .iter()
        .map(|name| json!({ "name": name, "description": "A test made it.", "inputSchema": { "type": "object" } }))
        .collect();
    json!({ "tools": tools })
}

fn word(number: usize) -> [u8; 4] {
    u32::try_from(number).expect("it fits a memory of 32 bits").to_le_bytes()
}

/// Bytes as a string of WebAssembly text.
fn escaped(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("\\{byte:02x}")).collect()
}
