//! The demo cluster: what its README lists is found and explained, and what the pages for newcomers show is what is printed.

use sandbar_tests::sandbar::Run;
use serde_json::{Value, json};

const DEMO: &str = include_str!("../../host/snapshot/demo/README.md");
const TUTORIAL: &str = include_str!("../../docs/tutorials/first-question.md");
const README: &str = include_str!("../../README.md");
const MAKEFILE: &str = include_str!("../../Makefile");

/// Bytes of all that is wrong.
const FOUND_MAX: usize = 4 * 1024;

/// The packs that `make run` serves.
fn packs() -> &'static str {
    let (_, packs) = MAKEFILE.split_once("serve --cluster demo --packs ").expect("the target run");
    packs.lines().next().unwrap()
}

async fn call(tool: &str, arguments: &Value) -> String {
    let arguments = arguments.to_string();
    let finished = Run::new(&["call", tool, &arguments, "--cluster", "demo", "--packs", packs()]).finish().await;
    assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{tool} {arguments}: {finished:?}");
    finished.stdout
}

/// One thing that is wrong, as the README of the demo has it in a row.
struct Row {
    /// `Deployment shop/checkout`, and the same as arguments of `explain`.
    object: String,
    asked: Value,
    /// What the cause is told in.
    words: Vec<&'static str>,
}

/// The texts between backticks.
fn quoted(cell: &'static str) -> Vec<&'static str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn rows() -> Vec<Row> {
    let (_, table) = DEMO.split_once("| what is wrong | object | cause |\n| --- | --- | --- |\n").expect("the table");
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    let row = |line: &'static str| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [_, object, cause] = cells[..] else { panic!("{line}") };
        row(object, cause)
    };
    rows.map(row).collect()
}

fn row(object: &'static str, cause: &'static str) -> Row {
    let object = object.trim_matches('`');
    let (kind, path) = object.split_once(' ').unwrap_or_else(|| panic!("{object}"));
    let asked = match path.split_once('/') {
        Some((namespace, name)) => json!({ "kind": kind, "namespace": namespace, "name": name }),
        None => json!({ "kind": kind, "name": path }),
    };
    Row { object: object.to_owned(), asked, words: quoted(cause) }
}

#[tokio::test]
async fn what_the_readme_lists_is_found_and_nothing_else() {
    let found = call("find_problems", &json!({})).await;
    assert!(found.len() < FOUND_MAX, "{} bytes: {found}", found.len());
    let rows = rows();
    assert!(rows.len() >= 12, "{} rows", rows.len());
    let lines: Vec<&str> = found.lines().skip(1).collect();
    for line in &lines {
        let (_, problem) = line.split_once(". ").unwrap_or_else(|| panic!("{line}"));
        let is_listed = |row: &Row| problem.strip_prefix(&row.object).is_some_and(|rest| rest.starts_with([' ', ':']));
        assert!(rows.iter().any(is_listed), "not in the README: {line}");
    }
    for Row { object, .. } in &rows {
        assert!(lines.iter().any(|line| line.contains(&format!(". {object}"))), "{object} is not found: {found}");
    }
}

#[tokio::test]
async fn what_the_readme_lists_is_explained() {
    for Row { object, asked, words } in rows() {
        let text = call("explain", &asked).await;
        let (verdict, _) = text.split_once('\n').unwrap();
        assert!(!words.is_empty(), "{object}");
        for words in words {
            assert!(verdict.contains(words), "{object}: {words:?} is not in the first line: {text}");
        }
    }
}

/// The commands in a page's consoles that begin like this, without that, and what the page says that each prints.
fn listings(page: &'static str, begin: &str) -> Vec<(&'static str, String)> {
    let consoles = page.split("```console\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut found: Vec<(&str, String)> = Vec::new();
    for console in consoles {
        let mut is_meant = false;
        for line in console.lines() {
            if line.starts_with("$ ") {
                is_meant = line.starts_with(begin);
                found.extend(line.strip_prefix(begin).map(|command| (command, String::new())));
            } else if let (true, Some((_, shown))) = (is_meant, found.last_mut()) {
                shown.push_str(line);
                shown.push('\n');
            }
        }
    }
    found
}

/// The words of a command line, of which those in quotes have spaces.
fn words<'a>(command: &'a str) -> Vec<&'a str> {
    let part = |(at, part): (usize, &'a str)| if at % 2 == 1 { vec![part] } else { part.split_whitespace().collect() };
    command.split('\'').enumerate().flat_map(part).collect()
}

async fn prints_what_it_says(page: &'static str, begin: &str, before: &[&str]) {
    let listings = listings(page, begin);
    assert!(!listings.is_empty());
    for (command, shown) in listings {
        let arguments: Vec<&str> = before.iter().copied().chain(words(command)).collect();
        let finished = Run::new(&arguments).finish().await;
        assert_eq!((finished.code(), finished.stderr.as_str()), (0, ""), "{command}: {finished:?}");
        if !shown.is_empty() {
            assert_eq!(finished.stdout, shown, "{command}");
        }
    }
}

#[tokio::test]
async fn the_tutorial_shows_what_is_printed() {
    let alias = format!("alias demo='target/debug/sandbar call --cluster demo --packs {}'", packs());
    assert!(TUTORIAL.contains(&alias), "{alias}");
    prints_what_it_says(TUTORIAL, "$ demo ", &["call", "--cluster", "demo", "--packs", packs()]).await;
}

#[tokio::test]
async fn the_readme_shows_what_is_printed() {
    prints_what_it_says(README, "$ target/debug/sandbar ", &[]).await;
}

#[tokio::test]
async fn the_tutorial_has_as_many_tools_as_make_run_serves() {
    let tools = Run::new(&["tools", "--cluster", "demo", "-o", "json", "--packs", packs()]).finish().await.json();
    let tools = tools.as_array().unwrap().len();
    assert!(TUTORIAL.contains(&format!("\nsandbar serves {tools} tools for demo cluster; ")), "{tools}");
}
