//! Test components: packages of `tests/components`, compiled when a test first wants one, and texts of `tests/components/hostile/wat`.

use std::io::Write;
use std::path::{Path, PathBuf};

use wit_component::ComponentEncoder;

use crate::cargo::cargo;
use crate::sandbar::{profile_folder, scratch};

/// Core WebAssembly without a system, as the bundled tools are built.
const TARGET: &str = "wasm32-unknown-unknown";

/// The cargo profile of the guests, in the workspace's manifest.
const PROFILE: &str = "guest";

/// What the cargo that runs the tests may have been told for another target.
const NOT_FOR_GUESTS: [&str; 5] =
    ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO_TARGET_DIR"];

/// Compiles the package `name` of `tests/components`, and returns the path of the component.
///
/// # Panics
/// When it does not compile, or is no component.
pub fn build(name: &str) -> PathBuf {
    let module = std::fs::read(compile(name)).expect("cargo has written it");
    let component = encode(&module).unwrap_or_else(|error| panic!("{name} is no component: {error}"));
    write(name, &component)
}

/// Assembles `tests/components/hostile/wat/NAME.wat`, and returns the path of the component.
///
/// # Panics
/// When there is no such text, or it is no WebAssembly.
pub fn assemble(name: &str) -> PathBuf {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("components/hostile/wat").join(name).with_extension("wat");
    let component = wat::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", text.display()));
    write(name, &component)
}

fn write(name: &str, component: &[u8]) -> PathBuf {
    let path = scratch("tools").join(name).with_extension("wasm");
    // All at once, because a server of another test may be reading it.
    let mut file = tempfile::NamedTempFile::new_in(scratch("tools")).expect("a file in the target directory");
    file.write_all(component).expect("room for it");
    file.persist(&path).expect("a file in the target directory");
    path
}

/// Returns the path of the core module.
fn compile(name: &str) -> PathBuf {
    let target_dir = profile_folder().with_file_name("guest-tools");
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--locked", "--lib", "--target", TARGET, "--profile", PROFILE, "--package", name]);
    cargo.arg("--target-dir").arg(&target_dir);
    for variable in NOT_FOR_GUESTS {
        cargo.env_remove(variable);
    }
    let status = cargo.status().expect("cargo can be run");
    assert!(status.success(), "the test component {name} does not compile");
    target_dir.join(TARGET).join(PROFILE).join(name.replace('-', "_")).with_extension("wasm")
}

fn encode(module: &[u8]) -> Result<Vec<u8>, String> {
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(|mut encoder| encoder.encode());
    encoded.map_err(|error| format!("{error:#}"))
}
