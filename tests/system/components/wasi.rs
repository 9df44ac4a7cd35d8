//! A component that a WASI toolchain made: what it imports is there, and empty.

use super::*;

/// Imports of WASI as such toolchains write them.
const IMPORTS: &str = r#"
  (import "wasi:cli/environment@0.2.6" (instance $environment
    (export "get-environment" (func (result (list (tuple string string)))))
    (export "get-arguments" (func (result (list string))))
    (export "initial-cwd" (func (result (option string))))))
  (import "wasi:filesystem/types@0.2.6" (instance $files (export "descriptor" (type (sub resource)))))
  (alias export $files "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.6" (instance $preopens
    (alias outer 1 $descriptor (type $outer)) (export "descriptor" (type $d (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $d) string)))))))
  (import "wasi:sockets/network@0.2.6" (instance $network
    (export "network" (type (sub resource)))
    (type $codes (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout" "concurrency-conflict"
      "not-in-progress" "would-block" "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large" "name-unresolvable"
      "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $codes)))
    (type $family (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family)))
    (type $four (tuple u8 u8 u8 u8)) (export "ipv4-address" (type $v4 (eq $four)))
    (type $eight (tuple u16 u16 u16 u16 u16 u16 u16 u16)) (export "ipv6-address" (type $v6 (eq $eight)))
    (type $socket4 (record (field "port" u16) (field "address" $v4))) (export "ipv4-socket-address" (type $s4 (eq $socket4)))
    (type $socket6 (record (field "port" u16) (field "flow-info" u32) (field "address" $v6) (field "scope-id" u32)))
    (export "ipv6-socket-address" (type $s6 (eq $socket6)))
    (type $socket (variant (case "ipv4" $s4) (case "ipv6" $s6))) (export "ip-socket-address" (type (eq $socket)))))
  (alias export $network "network" (type $net))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $ip-family))
  (alias export $network "ip-socket-address" (type $address))
  (import "wasi:sockets/instance-network@0.2.6" (instance $instance
    (alias outer 1 $net (type $outer)) (export "network" (type $n (eq $outer)))
    (export "instance-network" (func (result (own $n))))))
  (import "wasi:sockets/tcp@0.2.6" (instance $tcp
    (alias outer 1 $net (type $on)) (export "network" (type $n (eq $on)))
    (alias outer 1 $code (type $oc)) (export "error-code" (type $c (eq $oc)))
    (alias outer 1 $address (type $oa)) (export "ip-socket-address" (type $a (eq $oa)))
    (export "tcp-socket" (type $s (sub resource)))
    (export "[method]tcp-socket.start-connect"
      (func (param "self" (borrow $s)) (param "network" (borrow $n)) (param "remote-address" $a) (result (result (error $c)))))))
  (alias export $tcp "tcp-socket" (type $tcp-socket))
  (import "wasi:sockets/tcp-create-socket@0.2.6" (instance $create
    (alias outer 1 $code (type $oc)) (export "error-code" (type $c (eq $oc)))
    (alias outer 1 $ip-family (type $of)) (export "ip-address-family" (type $f (eq $of)))
    (alias outer 1 $tcp-socket (type $os)) (export "tcp-socket" (type $s (eq $os)))
    (export "create-tcp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
"#;

/// The functions of the imports, lowered into core functions.
const LOWERED: &str = r#"
  (core func $get-environment (canon lower (func $environment "get-environment") (memory $mem) (realloc $realloc)))
  (core func $get-arguments (canon lower (func $environment "get-arguments") (memory $mem) (realloc $realloc)))
  (core func $initial-cwd (canon lower (func $environment "initial-cwd") (memory $mem) (realloc $realloc)))
  (core func $get-directories (canon lower (func $preopens "get-directories") (memory $mem) (realloc $realloc)))
  (core func $instance-network (canon lower (func $instance "instance-network")))
  (core func $create-tcp-socket (canon lower (func $create "create-tcp-socket") (memory $mem)))
  (core func $start-connect (canon lower (func $tcp "[method]tcp-socket.start-connect") (memory $mem)))
"#;

/// What the core module is instantiated with.
const LINKED: &str = r#"(with "wasi" (instance
    (export "get-environment" (func $get-environment)) (export "get-arguments" (func $get-arguments))
    (export "initial-cwd" (func $initial-cwd)) (export "get-directories" (func $get-directories))
    (export "instance-network" (func $instance-network)) (export "create-tcp-socket" (func $create-tcp-socket))
    (export "start-connect" (func $start-connect))))"#;

/// What it looks for, each a question mark in the answer that becomes a digit: how many there are, or an error's number.
const ANSWER: &str = r#"{"structuredContent":{"environment":"?","arguments":"?","cwd":"?","directories":"?","socketFails":"?","connectFails":"?","why":"?"}}"#;

/// The core functions that look, for a port of 127.0.0.1.
fn looking(port: u16) -> String {
    let found: Vec<String> = ANSWER
        .match_indices('?')
        .map(|(at, _)| format!("(i32.store8 (i32.const {}) (i32.add (i32.const 48) ", 16 + at))
        .collect();
    let [environment, arguments, cwd, directories, socket, connect, why] = &found[..] else {
        panic!("seven questions: {found:?}")
    };
    // A list is an address at 1024 and a length at 1028; a result or an option has its case at 1024, and its value at 1028.
    format!(
        r#"
    (import "wasi" "get-environment" (func $get-environment (param i32)))
    (import "wasi" "get-arguments" (func $get-arguments (param i32)))
    (import "wasi" "initial-cwd" (func $initial-cwd (param i32)))
    (import "wasi" "get-directories" (func $get-directories (param i32)))
    (import "wasi" "instance-network" (func $instance-network (result i32)))
    (import "wasi" "create-tcp-socket" (func $create-tcp-socket (param i32 i32)))
    (import "wasi" "start-connect"
      (func $start-connect (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
    (func $look
      (call $get-environment (i32.const 1024))
      {environment} (i32.load (i32.const 1028))))
      (call $get-arguments (i32.const 1024))
      {arguments} (i32.load (i32.const 1028))))
      (call $initial-cwd (i32.const 1024))
      {cwd} (i32.load8_u (i32.const 1024))))
      (call $get-directories (i32.const 1024))
      {directories} (i32.load (i32.const 1028))))
      (call $create-tcp-socket (i32.const 0) (i32.const 1024))
      {socket} (i32.load8_u (i32.const 1024))))
      (if (i32.load8_u (i32.const 1024)) (then return))
      (call $start-connect (i32.load (i32.const 1028)) (call $instance-network)
        (i32.const 0) (i32.const {port}) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
        (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1024))
      {connect} (i32.load8_u (i32.const 1024))))
      {why} (i32.load8_u (i32.const 1025)))))
"#
    )
}

/// `access-denied`, in the order of WASI's error codes.
const ACCESS_DENIED: &str = "1";

#[tokio::test]
async fn it_finds_no_environment_no_arguments_no_files_and_no_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let text = Text::tool("look")
        .importing(IMPORTS)
        .lowering(LOWERED)
        .answering(ANSWER)
        .with_core(&looking(port), LINKED)
        .before_answering("(call $look)");
    let file = text.write(folder.path(), "look.wasm");

    let server =
        Server::builder().cluster("demo").env("SECRET", "in the server's environment").arg("--tools").arg(&file).start().await;
    let client = Client::modern(&server);
    for _ in 0..2 {
        let found = client.answer("look", json!({})).await;
        for nothing in ["environment", "arguments", "cwd", "directories"] {
            assert_eq!(found[nothing], "0", "{nothing}: {found}");
        }
        assert!(found["socketFails"] == "1" || (found["connectFails"] == "1" && found["why"] == ACCESS_DENIED), "{found}");
    }
    let nobody = listener.accept().expect_err("nobody has connected");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);

    let inspected = Run::new(&["inspect"]).arg(&file).finish().await;
    assert!(inspected.stdout.contains("interfaces of WASI, which are empty here"), "{inspected:?}");
}
