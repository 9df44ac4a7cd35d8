//! Components as WebAssembly text, for what no toolchain would make.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// Where the manifest lies in memory: behind the page that the code has to itself.
const MANIFEST_AT: usize = 0x1_0000;

/// Where texts for the code begin.
const TEXT_AT: usize = 16;

/// The data of the answer `{"content":[]}`.
const EMPTY_ANSWER: &str = r#"{"content":[]}"#;

/// A component in the making. Its parts are WebAssembly text.
pub struct Text {
    manifest: Vec<u8>,
    export: &'static str,
    imports: String,
    glue: String,
    core: String,
    call: String,
    texts: String,
    arguments: String,
    pages: usize,
    offers: &'static str,
}

/// What exports prompts and resources, which answer as the tools do.
const OFFERS: &str = r#"
  (func $read (param "uri" string) (result (result string (error string)))
    (canon lift (core func $i "read") (memory $mem) (realloc $realloc)))
  (instance $prompts (export "get" (func $call)))
  (instance $resources (export "read" (func $read)))
  (export "sandbar:tool/prompts@0.1.0" (instance $prompts))
  (export "sandbar:tool/resources@0.1.0" (instance $resources))"#;

impl Text {
    /// Serves one tool of this name, which answers with nothing.
    pub fn tool(name: &str) -> Self {
        Self::new(&json!({ "tools": [{ "name": name, "inputSchema": { "type": "object" } }] }))
    }

    /// With this manifest, and tools that answer with nothing.
    pub fn new(manifest: &Value) -> Self {
        Self::with_manifest(manifest.to_string())
    }

    /// With this text, or these bytes, for a manifest.
    pub fn with_manifest(manifest: impl Into<Vec<u8>>) -> Self {
        Self {
            manifest: manifest.into(),
            export: "sandbar:tool/tools@0.1.0",
            imports: String::new(),
            glue: String::new(),
            core: String::new(),
            call: format!("(call $answer (i32.const {TEXT_AT}) (i32.const {}))", EMPTY_ANSWER.len()),
            texts: EMPTY_ANSWER.to_owned(),
            arguments: String::new(),
            pages: 0,
            offers: "",
        }
    }

    /// With so many pages of memory beside those that the manifest takes.
    pub fn with_pages(mut self, pages: usize) -> Self {
        self.pages = pages;
        self
    }

    /// Exports prompts and resources, too, which answer as the tools do.
    pub fn with_offers(mut self) -> Self {
        self.offers = OFFERS;
        self
    }

    /// Exports the tools under another name.
    pub fn exporting(mut self, name: &'static str) -> Self {
        self.export = name;
        self
    }

    /// Imports something into the component.
    pub fn importing(mut self, import: &str) -> Self {
        self.imports.push_str(import);
        self
    }

    /// Adds fields to the component that need its memory `$mem` and its function `$realloc`.
    pub fn lowering(mut self, fields: &str) -> Self {
        self.glue.push_str(fields);
        self
    }

    /// Adds fields to the core module, and what it is instantiated with.
    pub fn with_core(mut self, fields: &str, arguments: &str) -> Self {
        self.core.push_str(fields);
        self.arguments.push_str(arguments);
        self
    }

    /// Runs this code in each call. It leaves the address of a result; `$answer` makes one of an address and a length.
    pub fn calling(mut self, code: &str) -> Self {
        code.clone_into(&mut self.call);
        self
    }

    /// Puts this text at address 16, and answers with it.
    pub fn answering(mut self, text: &str) -> Self {
        text.clone_into(&mut self.texts);
        self.call = format!("(call $answer (i32.const {TEXT_AT}) (i32.const {}))", text.len());
        self
    }

    /// Runs this code first in each call.
    pub fn before_answering(mut self, code: &str) -> Self {
        self.call.insert_str(0, code);
        self
    }

    /// Writes the component to a file.
    ///
    /// # Panics
    /// Where it is no WebAssembly, or cannot be written.
    pub fn write(&self, folder: &Path, name: &str) -> PathBuf {
        let file = folder.join(name);
        let bytes = wat::parse_str(self.to_string()).unwrap_or_else(|error| panic!("{name}: {error}"));
        std::fs::write(&file, bytes).expect("a file in a temporary folder");
        file
    }
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { manifest, export, imports, glue, core, call, texts, arguments, pages, offers } = self;
        let read = if offers.is_empty() { "" } else { &*format!("(func (export \"read\") (param i32 i32) (result i32) {call})") };
        let pages = 2 + pages + manifest.len() / 0x1_0000;
        let (length, manifest, texts) = (manifest.len(), escaped(manifest), escaped(texts.as_bytes()));
        write!(
            f,
            r#"(component
  {imports}
  (core module $memory
    (memory (export "memory") {pages})
    (global $free (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      global.get $free
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $mem))
  (alias core export $m "realloc" (core func $realloc))
  {glue}
  (core module $guest
    (import "m" "memory" (memory 1))
    {core}
    (data (i32.const {TEXT_AT}) "{texts}")
    (data (i32.const {MANIFEST_AT}) "{manifest}")
    (func $answer (param $address i32) (param $length i32) (result i32)
      (i32.store8 (i32.const 0) (i32.const 0))
      (i32.store (i32.const 4) (local.get $address))
      (i32.store (i32.const 8) (local.get $length))
      i32.const 0)
    (func (export "manifest") (result i32)
      (drop (call $answer (i32.const {MANIFEST_AT}) (i32.const {length})))
      i32.const 4)
    {read}
    (func (export "call") (param i32 i32 i32 i32) (result i32)
      {call}))
  (core instance $i (instantiate $guest (with "m" (instance $m)) {arguments}))
  (func $manifest (result string)
    (canon lift (core func $i "manifest") (memory $mem) (realloc $realloc)))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
    (canon lift (core func $i "call") (memory $mem) (realloc $realloc)))
  (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
  (export "{export}" (instance $tools))
  {offers})
"#
        )
    }
}

/// Bytes as they stand in a string of WebAssembly text.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "\\{byte:02x}");
        text
    })
}
