//! Components for measurements, in WebAssembly text: what they answer is data, so that nothing is measured but what is around them.

use std::path::{Path, PathBuf};

/// What a component does when it is called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Does<'a> {
    /// Answers with this JSON at once.
    Answers(&'a str),
    /// Computes for ever.
    Spins,
    /// Computes for ever where it has arguments.
    SpinsForArguments,
    /// Takes nearly all the memory that it may have, and fills it for ever.
    Fills,
}

/// A component with one tool. `more` are further members of the tool's definition, each after a comma.
pub(crate) fn component(tool: &str, more: &str, does: Does<'_>) -> Vec<u8> {
    let manifest = format!(r#"{{"tools":[{{"name":"{tool}","inputSchema":{{"type":"object"}}{more}}}]}}"#);
    let (answer, work) = match does {
        Does::Answers(json) => (json, ""),
        Does::Spins => ("", "(loop $again (br $again))"),
        // `{}` has two bytes.
        Does::SpinsForArguments => {
            (r#"{"content":[]}"#, "(if (i32.gt_u (local.get 3) (i32.const 2)) (then (loop $again (br $again))))")
        }
        Does::Fills => (
            "",
            "(drop (memory.grow (i32.const 900)))
             (loop $again (memory.fill (i32.const 196608) (i32.const 1) (i32.const 58720256)) (br $again))",
        ),
    };
    let text = TEMPLATE
        .replace("MANIFEST_BYTES", &manifest.len().to_string())
        .replace("MANIFEST", &manifest.replace('"', "\\\""))
        .replace("ANSWER_BYTES", &answer.len().to_string())
        .replace("ANSWER", &answer.replace('"', "\\\""))
        .replace("WORK", work);
    wat::parse_str(text).expect("valid WAT")
}

/// A tool that answers at once, with nothing.
pub(crate) fn nothing() -> Vec<u8> {
    component("nothing", "", Does::Answers(r#"{"content":[]}"#))
}

/// A tool that computes until it is stopped.
pub(crate) fn spin() -> Vec<u8> {
    component("spin", "", Does::Spins)
}

/// Writes a component to a file.
pub(crate) fn write(folder: &Path, name: &str, component: &[u8]) -> PathBuf {
    let file = folder.join(name).with_extension("wasm");
    std::fs::write(&file, component).expect("it can be written");
    file
}

/// Manifest and answer lie in pages of their own, the results of both functions in the first, and arguments from the third page on.
const TEMPLATE: &str = r#"
(component
  (core module $guest
    (memory (export "memory") 4)
    (global $free (mut i32) (i32.const 131072))
    (data (i32.const 4096) "MANIFEST")
    (data (i32.const 65536) "ANSWER")
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      global.get $free
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16)))))
    (func (export "manifest") (result i32)
      (i32.store (i32.const 1024) (i32.const 4096))
      (i32.store (i32.const 1028) (i32.const MANIFEST_BYTES))
      i32.const 1024)
    (func (export "call") (param i32 i32 i32 i32) (result i32)
      WORK
      (i32.store8 (i32.const 1040) (i32.const 0))
      (i32.store (i32.const 1044) (i32.const 65536))
      (i32.store (i32.const 1048) (i32.const ANSWER_BYTES))
      i32.const 1040))
  (core instance $i (instantiate $guest))
  (func $manifest (result string)
    (canon lift (core func $i "manifest") (memory $i "memory") (realloc (func $i "realloc"))))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
    (canon lift (core func $i "call") (memory $i "memory") (realloc (func $i "realloc"))))
  (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
  (export "sandbar:tool/tools@0.1.0" (instance $tools)))
"#;
