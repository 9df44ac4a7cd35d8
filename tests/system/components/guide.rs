//! The guide for authors of tools: its code, its grant and what it prints.

use super::*;

const GUIDE: &str = include_str!("../../../docs/how-to/write-a-tool.md");

/// Where the guide has the component.
const COMPONENT: &str = "target/wasm32-wasip2/release/restarts.wasm";

/// The one block of the guide in this language that has this text.
fn block(language: &str, part: &str) -> &'static str {
    let start = format!("```{language}\n");
    let blocks = GUIDE.split(&start).skip(1).map(|rest| rest.split("```").next().unwrap_or_default());
    let found: Vec<&str> = blocks.filter(|block| block.contains(part)).collect();
    let [block] = found[..] else { panic!("{} blocks with {part:?}", found.len()) };
    block
}

#[tokio::test]
async fn who_follows_the_guide_gets_the_answer_that_it_shows() {
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join(COMPONENT);
    std::fs::create_dir_all(component.parent().unwrap()).unwrap();
    std::fs::copy(components::build("restarts"), &component).unwrap();
    std::fs::write(folder.path().join("sandbar.yaml"), block("yaml", "tools:")).unwrap();
    let run = |arguments: &[&str]| Run::new(arguments).within(folder.path());

    let inspected = run(&["inspect", COMPONENT]).finish().await;
    assert_eq!(inspected.code(), 0, "{inspected:?}");
    let shown = block("console", "sandbar inspect").lines().filter(|line| line.starts_with("  "));
    // The tests' components are built without WASI.
    let shown: Vec<&str> = shown.filter(|line| !line.contains("WASI")).collect();
    assert!(shown.len() >= 8, "{shown:?}");
    for line in shown {
        assert!(inspected.stdout.lines().any(|said| said == line), "{line}: {inspected:?}");
    }

    // Nothing is granted by itself, and what is missing can be pasted.
    let refused = run(&["tools", "--cluster", "demo", "--tools", COMPONENT]).finish().await;
    let shown = block("console", "sandbar: not loaded");
    let (_, shown) = shown.split_once("sandbar: not loaded").unwrap();
    let (_, said) = refused.stderr.split_once("sandbar: not loaded").unwrap_or_else(|| panic!("{refused:?}"));
    assert_eq!(said.replace(folder.path().to_str().unwrap(), "/home/ada/restarts"), shown);

    let called = run(&["call", "--cluster", "demo", "--config", "sandbar.yaml", "list_restarts"]).finish().await;
    let (_, shown) = block("console", "sandbar call").split_once('\n').unwrap();
    assert_eq!((called.code(), called.stdout.as_str()), (0, shown), "{called:?}");
}
