//! The page about security names a proof for each of its claims: each name is that of a test.

use std::path::Path;

/// The page, from the folder of these tests.
const PAGE: &str = "../docs/explanation/security.md";

/// Text in back quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether there is a module of this name in a folder, or a test of this name in a module.
fn exists(folder: &Path, name: &str) -> bool {
    let path = name.replace("::", "/");
    let is_module = |path: &str| folder.join(path).is_dir() || folder.join(path).with_extension("rs").is_file();
    let is_test = || {
        let (module, test) = path.rsplit_once('/')?;
        let text = std::fs::read_to_string(folder.join(module).with_extension("rs")).ok()?;
        text.contains(&format!("async fn {test}()")).then_some(())
    };
    is_module(&path) || is_test().is_some()
}

#[test]
fn each_proof_that_the_page_on_security_names_is_there() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join(PAGE)).unwrap();
    let targets = std::fs::read_to_string(here.join("fuzz/src/targets.rs")).unwrap();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| ---"))
        .map(|line| line.trim_matches('|').split(" | ").collect())
        .collect();
    let mut proofs = 0;
    for proof in rows.iter().filter(|row| row.len() == 3).map(|row| row[2]).filter(|proof| proof.trim() != "Proof") {
        for name in quoted(proof).filter(|name| name.contains("::")) {
            let folders = [here.join("system"), here.join("../host")];
            assert!(folders.iter().any(|folder| exists(folder, name)), "there is no test {name}");
            proofs += 1;
        }
        for name in
            proof.split_once("fuzz ").map(|(_, names)| names).into_iter().flat_map(quoted).filter(|name| !name.contains("::"))
        {
            assert!(targets.contains(&format!("name: \"{name}\"")), "there is no fuzz target {name}");
            proofs += 1;
        }
    }
    assert!(proofs > 50, "the page has lost its proofs: {proofs}");
}
