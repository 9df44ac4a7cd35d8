//! Tools in Go: `go build` makes a module, which knows its world by nothing and wants the system of WASI. Both are in the binary: the world as
//! `build.rs` has encoded it, and a system made of the contract, `guest-tools/sdk-go/wasi.wat`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wasmparser::{DataKind, Operator, Parser, Payload};

use super::{BuildError, encode, read_module, shown};

/// The section that says of which world a module is.
const WORLD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/go-world.section"));

/// The system, a module.
const WASI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/go-wasi.wasm"));

/// What Go calls the system.
const WASI_NAME: &str = "wasi_snapshot_preview1";

/// Where the system keeps a line that is printed: from 4096 up to here. Go leaves this free in every module, for JavaScript.
const SYSTEM_END: u32 = 12288;

/// How a folder becomes a module. Without paths and revision, the same source makes the same module anywhere; with the
/// names of functions, a crash says where it was.
const BUILD: [&str; 6] = ["build", "-buildmode=c-shared", "-trimpath", "-buildvcs=false", "-ldflags=-w", "-o"];

/// What a component is made of: everything that is written by a person.
pub(super) fn sources(folder: &Path) -> Vec<PathBuf> {
    let is_source = |path: &PathBuf| {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        !is_hidden && path.extension() != Some(OsStr::new("wasm"))
    };
    let mut sources: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_source).collect();
    sources.sort();
    sources
}

/// Builds the component.
pub(super) fn component(folder: &Path, name: &str) -> Result<Vec<u8>, BuildError> {
    let file = folder.join(format!(".{name}.module"));
    let module = built(folder, &file).and_then(|()| read_module(&file));
    // Whatever has become of it, it is of no use any more.
    let _ = fs::remove_file(&file);
    of_module(&module?).map_err(|words| BuildError::Module {
        path: folder.to_owned(),
        words: format!("{words}; is it a package main that calls `sandbar.Serve`?"),
    })
}

fn built(folder: &Path, file: &Path) -> Result<(), BuildError> {
    let mut build = Command::new("go");
    let name = file.file_name().unwrap_or(file.as_os_str());
    build.current_dir(folder).args(BUILD).arg(name).arg(".").envs([("GOOS", "wasip1"), ("GOARCH", "wasm")]).stdin(Stdio::null());
    let status = build.status().map_err(|error| BuildError::Missing {
        program: "go",
        error,
        help: "https://go.dev/dl has Go, and go.mod says which version it takes",
    })?;
    if status.success() { Ok(()) } else { Err(BuildError::Failed(format!("GOOS=wasip1 GOARCH=wasm {}", shown(&build)))) }
}

fn of_module(module: &[u8]) -> Result<Vec<u8>, String> {
    if let Some(start) = first_data(module).map_err(|error| error.to_string())?.filter(|start| *start < SYSTEM_END) {
        return Err(format!("this version of Go has data at address {start}, where Go 1.26 has none below {SYSTEM_END}"));
    }
    encode(&[module, WORLD].concat(), Some((WASI_NAME, WASI)))
}

/// The address of the first of a module's data.
fn first_data(module: &[u8]) -> wasmparser::Result<Option<u32>> {
    let mut first = None;
    for payload in Parser::new(0).parse_all(module) {
        let Payload::DataSection(data) = payload? else { continue };
        for data in data {
            if let DataKind::Active { offset_expr, .. } = data?.kind
                && let Operator::I32Const { value } = offset_expr.get_operators_reader().read()?
            {
                let start = value.cast_unsigned();
                first = Some(first.map_or(start, |first: u32| first.min(start)));
            }
        }
    }
    Ok(first)
}

#[cfg(test)]
mod tests {
    use wasm_encoder::{ConstExpr, DataSection, MemorySection, MemoryType, Module};

    use super::*;

    fn module(address: i32) -> Vec<u8> {
        let (mut memory, mut data) = (MemorySection::new(), DataSection::new());
        memory.memory(MemoryType { minimum: 1, maximum: None, memory64: false, shared: false, page_size_log2: None });
        data.active(0, &ConstExpr::i32_const(20000), [1]);
        data.active(0, &ConstExpr::i32_const(address), [1]);
        let mut module = Module::new();
        module.section(&memory).section(&data);
        module.finish()
    }

    #[test]
    fn a_module_that_leaves_the_system_no_room_is_refused() {
        assert_eq!(first_data(&module(12288)).expect("a module"), Some(12288));
        let words = of_module(&module(4096)).expect_err("no room");
        assert!(words.contains("this version of Go has data at address 4096"), "{words}");
    }

    #[test]
    fn a_module_without_the_functions_of_a_tool_is_refused() {
        let words = of_module(&module(12288)).expect_err("no tool");
        assert!(words.contains("sandbar:tool/"), "{words}");
    }
}
