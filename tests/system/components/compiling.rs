//! Components that take a compiler more than there is: they are refused in words, and whatever else there is does not notice.

use std::os::unix::fs::PermissionsExt;

use sandbar_tests::bombs::{bombs, nested};
use sandbar_tests::process::{peak, peak_since, resident};
use sandbar_tests::{http, until};

use super::*;

/// Bytes that the server may have taken more while components were compiled that take a compiler gigabytes.
const NOTICEABLE: u64 = 64 << 20;

#[tokio::test]
async fn what_takes_a_compiler_too_much_is_refused_in_words_and_the_server_does_not_notice() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    let client = Client::modern(&server);
    let before = peak(server.id());
    for (name, bomb) in bombs(0) {
        bomb.write(folder.path(), &format!("{name}.wasm"));
    }
    Text::tool("good").write(folder.path(), "good.wasm");
    for (name, _) in bombs(0) {
        until(&format!("a word of {name}"), || async {
            // Each call while something is compiled is answered.
            assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
            let log = server.log();
            let line =
                log.lines().find(|line| line.contains(&format!("/{name}.wasm: ")) && line.contains("compiling it takes more"));
            line.map(|line| assert!(line.contains("make the component smaller"), "{line}"))
        })
        .await;
    }
    until("what can be compiled is served", || async {
        let tools = client.request("tools/list", json!({})).await["result"]["tools"].take();
        tools.as_array().unwrap().iter().any(|tool| tool["name"] == "good").then_some(())
    })
    .await;
    let more = peak_since(server.id(), before);
    assert!(more < NOTICEABLE, "{more} bytes more than {before}");

    // It is known by now, and nobody waits for it again.
    let told = || server.log().matches("is being compiled").count();
    let already = told();
    std::fs::rename(folder.path().join("loops.wasm"), folder.path().join("again.wasm")).unwrap();
    server.until_logged("/again.wasm: compiling it takes more").await;
    assert_eq!(told(), already, "{}", server.log());
}

#[tokio::test]
async fn a_start_does_not_wait_for_what_cannot_be_compiled() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bomb) in bombs(0) {
        bomb.write(folder.path(), &format!("{name}.wasm"));
    }
    // Without a cache, so that the bundled tools have to be compiled, too.
    let server =
        Server::builder().cluster("demo").arg("--cache-dir").arg("none").arg("--tools").arg(folder.path()).start_unready().await;
    assert_eq!(Client::modern(&server).answer("check_health", json!({})).await["status"], "ok");
    until("it is ready", || async { (http::get(server.address(), "/readyz").await.status == 200).then_some(()) }).await;
}

#[tokio::test]
async fn a_right_that_is_taken_back_does_not_wait_for_a_compiler_either() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("sandbar.yaml");
    let bomb = folder.path().join("bomb.wasm");
    std::fs::write(&config, hostile_config("")).unwrap();
    let server = Server::builder().cluster("demo").arg("--config").arg(&config).start().await;
    let serves_it = || async {
        let tools = Client::modern(&server).request("tools/list", json!({})).await["result"]["tools"].take();
        tools.as_array().unwrap().iter().any(|tool| tool["name"] == "misbehave")
    };
    assert!(serves_it().await);
    let (_, text) = bombs(0).remove(0);
    text.write(folder.path(), "bomb.wasm");
    let without = format!("tools:\n  - component: {}\n  - component: {}\n", bomb.display(), hostile().display());
    std::fs::write(&config, without).unwrap();
    server.signal("HUP");
    until("it is not served without its rights", || async { (!serves_it().await).then_some(()) }).await;
    assert!(!server.log().contains("compiling it takes more"), "the other was still being compiled: {}", server.log());
}

#[tokio::test]
async fn the_memory_that_compiling_takes_is_not_the_servers() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    let before = resident(server.id());
    // It takes a compiler a few hundred MiB, and is compiled.
    let core = nested(100, 1_000);
    Text::tool("large").with_core(&core, "").write(folder.path(), "large.wasm");
    server.until_logged("a component was added").await;
    assert!(resident(server.id()) < before + NOTICEABLE, "{} after {before}", resident(server.id()));
}

#[tokio::test]
async fn without_a_folder_to_keep_anything_in_it_starts_and_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (place, said) in [
        (open.as_path(), "others may write to it"),
        (file.as_path(), "cannot be used"),
        (Path::new("/proc/no/such/folder"), "cannot be used"),
        (Path::new("/dev/null/folder"), "cannot be used"),
    ] {
        let called = Run::new(&["call", "check_health", "--cluster", "demo"]).env("SANDBAR_CACHE_DIR", place).finish().await;
        assert_eq!(called.code(), 0, "{called:?}");
        assert_eq!(called.json()["status"], "ok");
        assert_eq!(called.stderr.lines().count(), 1, "{called:?}");
        for said in [said, "compiled components are not kept", "--cache-dir", &place.display().to_string()] {
            assert!(called.stderr.contains(said), "{said:?}: {called:?}");
        }
    }
    // Nobody is told of what was asked for, and nothing is left of it.
    let temporary = folder.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let called =
        Run::new(&["call", "check_health", "--cluster", "demo", "--cache-dir", "none"]).env("TMPDIR", &temporary).finish().await;
    assert_eq!((called.code(), called.stderr.as_str()), (0, ""), "{called:?}");
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);

    let homeless = Run::new(&["call", "check_health", "--cluster", "demo"])
        .without("SANDBAR_CACHE_DIR")
        .without("HOME")
        .without("XDG_CACHE_HOME")
        .finish()
        .await;
    assert_eq!((homeless.code(), homeless.stderr.lines().count()), (0, 1), "{homeless:?}");
    assert!(homeless.stderr.contains("HOME"), "{homeless:?}");
}
