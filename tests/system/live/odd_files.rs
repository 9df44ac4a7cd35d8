//! Names among the components that are no files: whatever they are, they are named, and nothing waits for them.

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::*;

/// Puts one of each kind into a folder; the socket is there as long as it is held.
fn odd(folder: &std::path::Path) -> (UnixListener, Vec<(&'static str, &'static str)>) {
    let at = |name: &str| folder.join(name);
    assert!(Command::new("mkfifo").arg(at("pipe.wasm")).status().unwrap().success());
    std::fs::create_dir(at("folder.wasm")).unwrap();
    symlink("/dev/zero", at("device.wasm")).unwrap();
    assert!(Command::new("mkfifo").arg(at("another-pipe")).status().unwrap().success());
    symlink("another-pipe", at("link.wasm")).unwrap();
    symlink("loop.wasm", at("loop.wasm")).unwrap();
    let socket = UnixListener::bind(at("socket.wasm")).unwrap();
    let said = vec![
        ("pipe.wasm", "it is a named pipe, not a file"),
        ("folder.wasm", "it is a folder, not a file"),
        ("device.wasm", "it is a device, not a file"),
        ("link.wasm", "it is a named pipe, not a file"),
        ("loop.wasm", "cannot be read"),
        ("socket.wasm", "it is a socket, not a file"),
    ];
    (socket, said)
}

#[tokio::test]
async fn what_is_no_file_is_named_and_what_comes_beside_it_is_served() {
    let folder = Folder::new();
    let server = folder.serve().await;
    let client = Client::modern(&server);
    let (_socket, odd) = odd(folder.path());
    folder.put("greet.wasm", &tool("greet", "hello"));
    until_listed(&client, &["greet"]).await;
    for (name, said) in &odd {
        server.until_logged(&format!("{name}: it cannot be read")).await;
        let log = server.log();
        assert!(log.lines().any(|line| line.contains(name) && line.contains(said)), "{name}: {log}");
    }
    // And it goes on: what changes is taken up, and what is taken away is gone.
    folder.put("greet.wasm", &tool("salute", "salve"));
    until_listed(&client, &["salute"]).await;
    folder.remove("greet.wasm");
    until_listed(&client, &[]).await;
}

#[tokio::test]
async fn a_server_starts_whatever_is_among_its_components() {
    let folder = Folder::new();
    let (_socket, _) = odd(folder.path());
    folder.put("greet.wasm", &tool("greet", "hello"));
    let server = folder.serve().await;
    assert_eq!(words(&Client::modern(&server), "greet").await, "hello");
}

#[tokio::test]
async fn a_configuration_that_becomes_a_pipe_leaves_the_one_before_in_force() {
    let folder = Folder::new();
    let config = folder.path().join("sandbar.yaml");
    std::fs::write(&config, "callsPerSecond: 50\n").unwrap();
    let server = Server::builder().cluster("demo").arg("--config").arg(&config).start().await;
    std::fs::remove_file(&config).unwrap();
    assert!(Command::new("mkfifo").arg(&config).status().unwrap().success());
    server.signal("HUP");
    server.until_logged("it is a named pipe, not a file").await;
    std::fs::remove_file(&config).unwrap();
    std::fs::write(&config, "bundled: { disabled: [get-events] }\n").unwrap();
    assert_eq!(Client::modern(&server).answer("check_health", json!({})).await["status"], "ok");
}
