//! What the linker is told. Flags of the environment would count in a checkout alone, and not for `cargo install --git`.

use std::env;

fn main() {
    println!("cargo::rerun-if-changed=allocator.c");
    // A static binary moves its own addresses at the start: 1.7 MB of them, or some 50 KB in the packed form, which a dynamic one would need
    // a new C library for. Zig, which links for other processors, does not know the flag.
    let is_static = env::var("CARGO_CFG_TARGET_ENV").is_ok_and(|environment| environment == "musl");
    let links_by_cc = env::var("RUSTC_LINKER").map_or(true, |linker| linker.ends_with("cc"));
    if is_static && links_by_cc {
        println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
    }
    if env::var_os("CARGO_FEATURE_JEMALLOC").is_some() {
        allocator();
    }
}

/// Compiles the allocator's settings, a symbol that it looks for: in Rust a symbol of a given name takes `unsafe`.
fn allocator() {
    // As an object: the allocator has a weak symbol of that name, and with one the linker would not look into a library.
    for object in cc::Build::new().file("allocator.c").compile_intermediates() {
        println!("cargo::rustc-link-arg-bins={}", object.display());
    }
}
