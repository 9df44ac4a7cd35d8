//! After each fault everything is as before: the slot of the call is free, its memory is given back.
//!
//! Against the library, with two slots: one that is not given back is missed at once.

use std::sync::Arc;
use std::time::Duration;

use sandbar_catalog::{Answered, Arrival, Asked, Catalog, Loader, Progress, Source};
use sandbar_config::Config;
use sandbar_kubernetes::{self, Cluster, Clusters};
use sandbar_policy::{Caller, Identity, Limits};
use sandbar_sandbox::{Compiler, Engine, EngineOptions, Folder, Slots};
use sandbar_tests::process::Holdings;
use sandbar_tests::sandbar::binary;
use tokio::sync::watch;

use super::*;

/// Bytes of memory that a call may have.
const MEMORY: u64 = 16 << 20;

/// How long compiling may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A catalog of the bundled tools and of these files, with two slots. The files are granted what the hostile component asks for.
async fn two_slots(files: &[PathBuf]) -> Catalog {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbar.yaml");
    let mut yaml = "limits: { time: 60s, cpu: 300ms, memory: 16Mi, result: 64Ki }\ntools:\n".to_owned();
    for file in files {
        yaml += &format!("  - component: {}{HOSTILE_RULES}\n{}", file.display(), patience_with(file));
    }
    std::fs::write(&path, yaml).unwrap();
    let cluster = Cluster::connect(&sandbar_kubernetes::ClusterSource::Demo).await.unwrap();
    let config = Config::read(&path).unwrap();
    let sources = Source::bundled().chain(files.iter().cloned().map(Source::File));
    let wanted: Vec<_> = sources.map(|source| (source.clone(), config.terms(&source))).collect();
    let kept = Arc::new(Folder::kept(&folder.path().join("compiled")).unwrap());
    let load = async |slots: Slots| {
        let compiler = Some(Compiler { program: binary().to_owned(), folder: kept.clone() });
        let options = EngineOptions { slots, memory: MEMORY, stack: Limits::default().stack, compiler };
        let loader = Loader::new(Arc::new(Engine::new(&options).unwrap()), Clusters::only(cluster.clone()), MEMORY);
        let (catalog, problems) = loader.load(wanted.clone(), PATIENCE).await;
        assert!(problems.is_empty(), "{problems:?}");
        catalog
    };
    // Two slots are not enough to compile in.
    drop(load(Slots::for_memory(u64::MAX, MEMORY)).await);
    let two = Slots::for_memory(0, MEMORY);
    assert_eq!(two.count(), 2);
    load(two).await
}

/// Whoever sleeps is woken soon.
fn patience_with(file: &Path) -> &'static str {
    if file.ends_with("sleep.wasm") { "    limits: { time: 500ms }\n" } else { "" }
}

/// Every fault that there is: the tool and what to call it with.
fn faults() -> Vec<(&'static str, Value)> {
    let faults = [
        json!({ "how": "trap" }),
        json!({ "how": "panic", "words": "no" }),
        json!({ "how": "recurse" }),
        json!({ "how": "spin" }),
        json!({ "how": "ask" }),
        json!({ "how": "grow" }),
        json!({ "how": "wait" }),
        json!({ "how": "flood", "times": u32::MAX, "line": "x" }),
        json!({ "how": "push", "bytes": 8_000_000 }),
        json!({ "how": "push-paths", "paths": 200_000 }),
        json!({ "how": "return", "text": "no JSON" }),
        json!({ "how": "fill", "bytes": 100_000 }),
        json!({ "how": "fail", "text": "no" }),
        json!({ "how": "fail-long", "bytes": 3_000_000 }),
    ];
    let texts = hand_made::texts().map(|text| (text, json!({})));
    faults.map(|fault| ("misbehave", fault)).into_iter().chain(texts).collect()
}

/// The hostile component and all texts that never answer.
fn all_files() -> Vec<PathBuf> {
    hand_made::texts().map(components::assemble).chain([hostile().to_owned()]).collect()
}

/// Calls a tool: the words of its failure, or none.
async fn call(catalog: &Catalog, tool: &str, arguments: Value) -> Option<String> {
    let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
    let asked = Asked::Tool { name: tool.to_owned(), arguments: arguments.into() };
    let progress = watch::Sender::<Progress>::default();
    let answered =
        catalog.call(&Caller::new(Identity::Operator), Arrival::default(), asked, progress, |answered| answered).await.0.unwrap();
    let Answered::Tool(answer) = answered else { panic!("{answered:?}") };
    answer.is_error.then(|| answer.content[0].as_text().unwrap().text.to_string())
}

#[tokio::test]
async fn no_fault_keeps_its_slot() {
    let catalog = two_slots(&all_files()).await;
    for (tool, fault) in faults() {
        // One more than there are slots.
        for _ in 0..3 {
            let words = call(&catalog, tool, fault.clone()).await.expect("it fails");
            assert!(!words.contains("busy"), "{tool} {fault}: {words}");
        }
        assert_eq!(call(&catalog, "check_health", json!({})).await, None, "after {tool} {fault}");
    }
}

#[tokio::test]
async fn no_fault_keeps_memory_files_or_threads() {
    /// How often each is committed: what a fault keeps is more than all of them may keep, if it is half a MiB, a file or a thread.
    const TIMES: u64 = 20;
    /// What all of them may keep together. The allocator rounds up, and tokio lets a thread that has nothing to do go after a while.
    const MORE: Holdings = Holdings { memory: 8 << 20, files: 4, threads: 4 };
    let limits = "limits: { cpu: 50ms, memory: 16Mi, result: 64Ki }\ntools:\n";
    let entries: String = all_files()
        .iter()
        .map(|file| format!("  - component: {}{HOSTILE_RULES}\n{}", file.display(), patience_with(file)))
        .collect();
    let server = Server::builder().cluster("demo").config(&format!("{limits}{entries}")).start().await;
    let client = Client::modern(&server);
    // What is made once is made now.
    for (tool, fault) in faults() {
        for _ in 0..2 {
            client.failure(tool, fault.clone()).await;
        }
    }
    the_next_call_works(&server).await;
    let before = Holdings::of(server.id());
    for (tool, fault) in faults() {
        for _ in 0..TIMES {
            client.failure(tool, fault.clone()).await;
        }
        before.until_as_before(server.id(), &MORE, &format!("{TIMES} times {tool} {fault}")).await;
    }
    the_next_call_works(&server).await;
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_gives_its_slot_back() {
    let catalog = two_slots(&[hostile().to_owned()]).await;
    for _ in 0..5 {
        let (mut spinning, mut waiting) = (
            Box::pin(call(&catalog, "misbehave", json!({ "how": "spin" }))),
            Box::pin(call(&catalog, "misbehave", json!({ "how": "ask" }))),
        );
        // Both have begun; then their caller goes.
        tokio::select! {
            biased;
            _ = &mut spinning => {}
            _ = &mut waiting => {}
            () = tokio::task::yield_now() => {}
        }
    }
    for _ in 0..3 {
        assert_eq!(call(&catalog, "check_health", json!({})).await, None);
    }
}

#[tokio::test]
async fn memory_that_a_tool_took_is_given_back() {
    /// What each call takes, in bytes, and how often.
    const TAKEN: u64 = 64 << 20;
    const TIMES: u64 = 40;
    /// What may be left of all of it: a fraction of what one call took.
    const MORE: Holdings = Holdings { memory: TAKEN / 8, files: 4, threads: 4 };
    let server = Server::builder().cluster("demo").config(&hostile_config("    limits: { time: 60s, cpu: 20s }\n")).start().await;
    let client = Client::modern(&server);
    let grow = async || {
        let words = client.failure("misbehave", json!({ "how": "grow" })).await;
        assert!(words.contains("limit `memory`"), "{words}");
    };
    grow().await;
    let before = Holdings::of(server.id());
    for _ in 0..TIMES {
        grow().await;
    }
    before.until_as_before(server.id(), &MORE, "calls that took all they may have").await;
    the_next_call_works(&server).await;
}

/// A component of so many core instances, which computes until it is stopped.
fn of_many_parts(folder: &Path, parts: usize) -> PathBuf {
    let mut fields = "(core module $part (memory 1) (table 1 funcref))".to_owned();
    for part in 0..parts {
        fields += &format!("(core instance $part{part} (instantiate $part))");
    }
    Text::tool("many").lowering(&fields).calling("(loop $forever (br $forever)) unreachable").write(folder, "many.wasm")
}

#[tokio::test]
async fn a_component_of_many_parts_takes_no_more_than_its_slot() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = two_slots(&[of_many_parts(folder.path(), 6)]).await;
    let many = call(&catalog, "many", json!({}));
    let others = async {
        for _ in 0..20 {
            assert_eq!(call(&catalog, "check_health", json!({})).await, None);
        }
    };
    let (words, ()) = tokio::join!(many, others);
    assert!(words.as_deref().is_some_and(|words| words.contains("limit `cpu`")), "{words:?}");
}
