//! Compiles the allocator's settings, a symbol that it looks for. In Rust a symbol of a given name takes `unsafe`, and a variable of the
//! environment would be set in a checkout alone, and not by `cargo install --git`.

fn main() {
    println!("cargo::rerun-if-changed=allocator.c");
    if std::env::var_os("CARGO_FEATURE_JEMALLOC").is_none() {
        return;
    }
    // As an object: the allocator has a weak symbol of that name, and with one the linker would not look into a library.
    for object in cc::Build::new().file("allocator.c").compile_intermediates() {
        println!("cargo::rustc-link-arg-bins={}", object.display());
    }
}
