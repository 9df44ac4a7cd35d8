//! The page about security names a proof for each of its claims: a test that is run, a part of the code that has some, a fuzz target.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The page, from the folder of these tests.
const PAGE: &str = "../docs/explanation/security.md";

/// What stands above its claims.
const HEADER: &str = "| Attack | What stops it | Proof |";

/// Text in back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of the tests in a file of Rust that are run, which one that is ignored is not.
fn tests_in(file: &Path) -> BTreeSet<String> {
    let (mut names, mut is_test) = (BTreeSet::new(), false);
    for line in std::fs::read_to_string(file).unwrap_or_default().lines().map(str::trim) {
        is_test |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        is_test &= !line.starts_with("#[ignore");
        let Some((_, function)) = line.split_once("fn ") else { continue };
        if std::mem::take(&mut is_test) {
            names.extend(function.split('(').next().map(str::to_owned));
        }
    }
    names
}

/// Whether a file, a folder or anything in it has a test that is run.
fn has_tests(path: &Path) -> bool {
    match std::fs::read_dir(path) {
        Ok(entries) => entries.flatten().any(|entry| has_tests(&entry.path())),
        Err(_) => !tests_in(path).is_empty(),
    }
}

/// Where what has this name would be: among these tests, in the crate of the host that it begins with, in the program.
fn places(here: &Path, name: &str) -> [PathBuf; 3] {
    let path = name.replace("::", "/");
    let (first, rest) = path.split_once('/').unwrap_or((&path, ""));
    let host = here.join("../host");
    [here.join("system").join(&path), host.join(first).join("src").join(rest), host.join("sandbar/src").join(&path)]
}

/// Whether a path without its ending is that of a module with tests, or of a test in a module.
fn is_proof(path: &Path) -> bool {
    let is_test = || {
        let (module, test) = path.parent().zip(path.file_name())?;
        Some(tests_in(&module.with_extension("rs")).contains(test.to_str()?))
    };
    has_tests(path) || has_tests(&path.with_extension("rs")) || is_test().unwrap_or_default()
}

#[test]
fn each_claim_of_the_page_on_security_has_a_proof_that_is_run() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join(PAGE)).unwrap();
    let targets = std::fs::read_to_string(here.join("fuzz/src/targets.rs")).unwrap();
    let makefile = std::fs::read_to_string(here.join("../Makefile")).unwrap();
    let (_, claims) = page.split_once(HEADER).expect("a table of claims");
    let mut proofs = 0;
    for claim in claims.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---") && *line != HEADER) {
        let (_, proof) = claim.trim_end_matches([' ', '|']).rsplit_once(" | ").expect("a proof");
        // Behind the word stand the names of fuzz targets, and perhaps another test.
        let (tests, fuzzed) = proof.split_once("fuzz ").unwrap_or((proof, ""));
        let (further, fuzzed): (Vec<_>, Vec<_>) = quoted(fuzzed).partition(|name| name.contains("::"));
        for name in quoted(tests).chain(further) {
            let is_there = match name.strip_prefix("make ") {
                Some(target) => makefile.contains(&format!("\n{target}: ")),
                None => places(here, name).iter().any(|place| is_proof(place)),
            };
            assert!(is_there, "{name} is no test that is run, and has none: {claim}");
        }
        for name in &fuzzed {
            assert!(targets.contains(&format!("name: \"{name}\"")), "there is no fuzz target {name}: {claim}");
        }
        let of_claim = quoted(proof).count();
        assert!(of_claim > 0, "nothing proves {claim}");
        proofs += of_claim;
    }
    assert!(proofs > 50, "the page has lost its proofs: {proofs}");
}
