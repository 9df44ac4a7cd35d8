//! Takes the code out of the guide for authors of tools, so that what it says is what is compiled, tested and called.

use std::path::PathBuf;

fn main() {
    let of_cargo = |name| PathBuf::from(std::env::var_os(name).unwrap_or_else(|| panic!("{name} is cargo's")));
    let guide = of_cargo("CARGO_MANIFEST_DIR").join("../../../docs/how-to/write-a-tool.md");
    let text = std::fs::read_to_string(&guide).unwrap_or_else(|error| panic!("{}: {error}", guide.display()));
    let blocks = text.split("```rust\n").skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    // Comments on a whole file cannot be included into another.
    let code: Vec<&str> = blocks.flat_map(str::lines).filter(|line| !line.starts_with("//!")).collect();
    std::fs::write(of_cargo("OUT_DIR").join("guide.rs"), code.join("\n")).expect("a file of cargo's");
    println!("cargo::rerun-if-changed={}", guide.display());
}
