//! Files that are taken for components.

use std::sync::LazyLock;

use sandbar_capability::interfaces;
use sandbar_sandbox::{Artifact, Binary, Engine, EngineOptions, Imports, Slots};

/// Compiling is wasmtime's work, and takes long; what is larger is only looked at.
const COMPILED: usize = 16 * 1024;

/// Bytes of stack. Nothing is called.
const STACK: u64 = 64 * 1024;

/// A file's imports and exports are read without a panic; what passes is compiled and linked, or refused with words.
pub(super) fn component(bytes: &[u8]) {
    static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
        let memory = 1 << 20;
        Engine::new(&EngineOptions { slots: Slots::for_memory(0, memory), memory, stack: STACK, compiler: None }).unwrap()
    });
    let imports = match Imports::of(bytes) {
        Ok(imports) => imports,
        Err(refusal) => return assert!(!refusal.to_string().is_empty()),
    };
    assert!(imports.exports.iter().any(|name| name.starts_with("sandbar:tool/tools@0.1.")), "{imports:?}");
    assert!(imports.wasi.iter().all(|name| !name.starts_with("wasi:http")), "{imports:?}");
    if bytes.len() <= COMPILED
        && let Ok(Some(artifact)) = Artifact::load_bundled(&ENGINE, "fuzz", &Binary::new(bytes.to_owned()), STACK)
    {
        let asked: Vec<_> = imports.capabilities().collect();
        let granted: Vec<_> = interfaces().into_iter().filter(|interface| asked.contains(&interface.name)).collect();
        let _ = artifact.link(&granted, ENGINE.queue(None, None));
        if let Some((_, but_one)) = granted.split_first() {
            assert!(artifact.link(but_one, ENGINE.queue(None, None)).is_err(), "it is linked with what it was not granted");
        }
    }
}

/// The hostile texts, assembled.
pub(super) fn seeds() -> Vec<Vec<u8>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../components/hostile/wat");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| wat::parse_file(file).unwrap()).collect()
}
