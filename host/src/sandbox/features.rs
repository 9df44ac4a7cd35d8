//! What of WebAssembly a component may use: what the toolchains of tools write, by name, and nothing that wasmtime turns on by itself.

use wasmtime::{Config, WasmFeatures};

/// What is on. Whatever is not named here is off, also what a later wasmtime brings.
pub(super) const ON: WasmFeatures = WasmFeatures::MUTABLE_GLOBAL
    .union(WasmFeatures::SATURATING_FLOAT_TO_INT)
    .union(WasmFeatures::SIGN_EXTENSION)
    .union(WasmFeatures::REFERENCE_TYPES)
    .union(WasmFeatures::CALL_INDIRECT_OVERLONG)
    .union(WasmFeatures::MULTI_VALUE)
    .union(WasmFeatures::BULK_MEMORY)
    .union(WasmFeatures::BULK_MEMORY_OPT)
    .union(WasmFeatures::FLOATS)
    // Fixed in width, and the same on every processor. C libraries under Python and JavaScript are built with it.
    .union(WasmFeatures::SIMD)
    // Modules that are linked together when they are loaded, as those of Python are.
    .union(WasmFeatures::EXTENDED_CONST)
    // Each component in a composed one has a memory, and what is between them copies from one to another.
    .union(WasmFeatures::MULTI_MEMORY)
    .union(WasmFeatures::COMPONENT_MODEL);

/// Turns on what is named above, and off all else.
pub(super) fn choose(config: &mut Config) {
    config.wasm_features(WasmFeatures::all().difference(ON), false);
    config.wasm_features(ON, true);
}
