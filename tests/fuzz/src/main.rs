//! libFuzzer on one target: `FUZZ_TARGET` names it, `FUZZ_CORPUS` is a folder that its seeds are written to. See `make fuzz`.
#![no_main]
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "it is a test")]

use std::sync::LazyLock;

use sandbar_fuzz::Target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    Target::named(&name).unwrap_or_else(|| panic!("FUZZ_TARGET={name:?} is no target"))
});

/// libFuzzer's own hook ends the process at each panic, also at one that the host expects of a library and catches. One that nobody
/// catches ends it anyway.
fn expect_panics() {
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
}

fn write_seeds() {
    let Some(folder) = std::env::var_os("FUZZ_CORPUS").map(std::path::PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).unwrap();
    for (number, seed) in (TARGET.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
    }
}

libfuzzer_sys::fuzz_target!(init: { write_seeds(); expect_panics() }, |input: &[u8]| (TARGET.run)(input));
