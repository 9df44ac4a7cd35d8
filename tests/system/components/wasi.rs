//! A component that a WASI toolchain made: what it imports is there, and empty.

use sandbar_tests::process::Holdings;

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
  (import "wasi:sockets/udp@0.2.6" (instance $udp (export "udp-socket" (type (sub resource)))))
  (alias export $udp "udp-socket" (type $udp-socket))
  (import "wasi:sockets/udp-create-socket@0.2.6" (instance $create-udp
    (alias outer 1 $code (type $oc)) (export "error-code" (type $c (eq $oc)))
    (alias outer 1 $ip-family (type $of)) (export "ip-address-family" (type $f (eq $of)))
    (alias outer 1 $udp-socket (type $os)) (export "udp-socket" (type $s (eq $os)))
    (export "create-udp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
  (import "wasi:sockets/ip-name-lookup@0.2.6" (instance $lookup
    (alias outer 1 $net (type $on)) (export "network" (type $n (eq $on)))
    (alias outer 1 $code (type $oc)) (export "error-code" (type $c (eq $oc)))
    (export "resolve-address-stream" (type $s (sub resource)))
    (export "resolve-addresses"
      (func (param "network" (borrow $n)) (param "name" string) (result (result (own $s) (error $c)))))))
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
  (core func $create-udp-socket (canon lower (func $create-udp "create-udp-socket") (memory $mem)))
  (core func $resolve-addresses (canon lower (func $lookup "resolve-addresses") (memory $mem)))
"#;

/// What the core module is instantiated with.
const LINKED: &str = r#"(with "wasi" (instance
    (export "get-environment" (func $get-environment)) (export "get-arguments" (func $get-arguments))
    (export "initial-cwd" (func $initial-cwd)) (export "get-directories" (func $get-directories))
    (export "instance-network" (func $instance-network)) (export "create-tcp-socket" (func $create-tcp-socket))
    (export "start-connect" (func $start-connect)) (export "create-udp-socket" (func $create-udp-socket))
    (export "resolve-addresses" (func $resolve-addresses))))"#;

/// What it looks for, each a question mark in the answer that becomes a character: `0` and how many there are, or `@` and the number
/// of an error.
const ANSWER: &str = r#"{"structuredContent":{"environment":"?","arguments":"?","cwd":"?","directories":"?","tcp":"?","connect":"?","udp":"?","lookup":"?"}}"#;

/// What is there, after what `0` stands for.
const NOTHING: &str = "0";

/// `access-denied`, in the order of WASI's error codes, after `@`.
const ACCESS_DENIED: &str = "A";

/// `permanent-resolver-failure`, likewise.
const NO_RESOLVER: &str = "T";

/// Where the name lies that it looks up.
const NAME: (usize, &str) = (900, "localhost");

/// The core functions that look, for a port of 127.0.0.1.
fn looking(port: u16) -> String {
    let found: Vec<String> =
        ANSWER.match_indices('?').map(|(at, _)| format!("(i32.store8 (i32.const {}) (i32.add ", 16 + at)).collect();
    let [environment, arguments, cwd, directories, tcp, connect, udp, lookup] = &found[..] else {
        panic!("eight questions: {found:?}")
    };
    let (name_at, name) = NAME;
    let length = name.len();
    // A list is an address at 1024 and a length at 1028; a result or an option has its case at 1024, and its value at 1028, or at 1025
    // where that is a byte whatever the case is.
    let (count, refused, refused_at_once) = (
        "(i32.const 48) (i32.load (i32.const 1028))))",
        "(i32.const 64) (i32.load8_u (i32.const 1028))))",
        "(i32.const 64) (i32.load8_u (i32.const 1025))))",
    );
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
    (import "wasi" "create-udp-socket" (func $create-udp-socket (param i32 i32)))
    (import "wasi" "resolve-addresses" (func $resolve-addresses (param i32 i32 i32 i32)))
    (data (i32.const {name_at}) "{name}")
    (func $is-refused (result i32) (i32.load8_u (i32.const 1024)))
    (func $look
      (call $get-environment (i32.const 1024))
      {environment} {count}
      (call $get-arguments (i32.const 1024))
      {arguments} {count}
      (call $initial-cwd (i32.const 1024))
      {cwd} (i32.const 48) (call $is-refused)))
      (call $get-directories (i32.const 1024))
      {directories} {count}
      (call $create-udp-socket (i32.const 0) (i32.const 1024))
      (if (call $is-refused) (then {udp} {refused}))
      (call $resolve-addresses (call $instance-network) (i32.const {name_at}) (i32.const {length}) (i32.const 1024))
      (if (call $is-refused) (then {lookup} {refused}))
      (call $create-tcp-socket (i32.const 0) (i32.const 1024))
      (if (call $is-refused) (then {tcp} {refused}) (else
        (call $start-connect (i32.load (i32.const 1028)) (call $instance-network)
          (i32.const 0) (i32.const {port}) (i32.const 127) (i32.const 0) (i32.const 0) (i32.const 1)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1024))
        (if (call $is-refused) (then {connect} {refused_at_once})))))
"#
    )
}

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
            assert_eq!(found[nothing], NOTHING, "{nothing}: {found}");
        }
        assert_eq!(found["tcp"], ACCESS_DENIED, "no socket, so there is nothing to connect: {found}");
        assert_eq!(found["udp"], ACCESS_DENIED, "{found}");
        assert_eq!(found["lookup"], NO_RESOLVER, "not even of its own machine: {found}");
    }
    let nobody = listener.accept().expect_err("nobody has connected");
    assert_eq!(nobody.kind(), std::io::ErrorKind::WouldBlock);

    let inspected = Run::new(&["inspect"]).arg(&file).finish().await;
    assert!(inspected.stdout.contains("interfaces of WASI, which are empty here"), "{inspected:?}");
}

#[tokio::test]
async fn no_socket_is_hoarded_because_none_is_had_however_often_it_asks() {
    /// How often it asks in one call. Each time it takes hold of the network, and of those handles it may have 256.
    const TIMES: u32 = 200;
    let folder = tempfile::tempdir().unwrap();
    let again = format!(
        "(local $n i32) (loop $again (call $look)
          (br_if $again (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {TIMES}))))"
    );
    let text = Text::tool("look")
        .importing(IMPORTS)
        .lowering(LOWERED)
        .answering(ANSWER)
        .with_core(&looking(1), LINKED)
        .before_answering(&again);
    let file = text.write(folder.path(), "look.wasm");
    let server = Server::builder().cluster("demo").arg("--tools").arg(&file).start().await;
    let client = Client::modern(&server);
    client.answer("look", json!({})).await;
    let before = Holdings::of(server.id());
    for _ in 0..5 {
        let found = client.answer("look", json!({})).await;
        assert_eq!((&found["tcp"], &found["udp"]), (&json!(ACCESS_DENIED), &json!(ACCESS_DENIED)), "the last one: {found}");
    }
    let more = Holdings { memory: 4 << 20, files: 0, threads: 4 };
    before.until_as_before(server.id(), &more, "a thousand attempts at sockets").await;
}

/// A component that calls one function of WASI in each call; `code` is that call.
fn calling_wasi(tool: &str, import: &str, lowered: &str, signature: &str, code: &str) -> Text {
    Text::tool(tool)
        .importing(import)
        .lowering(&format!("(core func $wasi (canon lower (func $imported {lowered}))"))
        .with_core(
            &format!(r#"(import "wasi" "function" (func $wasi {signature}))"#),
            r#"(with "wasi" (instance (export "function" (func $wasi))))"#,
        )
        .before_answering(code)
}

#[tokio::test]
async fn whoever_exits_ends_its_call_and_not_the_server() {
    let import = r#"(import "wasi:cli/exit@0.2.6" (instance $imported (export "exit" (func (param "status" (result))))))"#;
    let folder = tempfile::tempdir().unwrap();
    for (tool, status) in [("leave-well", 0), ("leave-badly", 1)] {
        let exit = format!("(call $wasi (i32.const {status})) ");
        let text = calling_wasi(tool, import, r#""exit")"#, "(param i32)", &exit);
        text.write(folder.path(), &format!("{tool}.wasm"));
    }
    let mut server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    let client = Client::modern(&server);
    for tool in ["leave-well", "leave-badly", "leave-well"] {
        let words = client.failure(tool, json!({})).await;
        assert!(words.contains("the tool crashed") && words.contains("fault of the tool"), "{tool}: {words}");
        assert_eq!(client.answer("check_health", json!({})).await["status"], "ok");
    }
    assert!(server.is_running());
}

#[tokio::test]
async fn random_bytes_are_had_in_small_portions_and_more_costs_the_server_nothing() {
    /// Bytes that a component asks for at once: more than it has memory to take.
    const WANTED: u64 = 64 << 20;
    let folder = tempfile::tempdir().unwrap();
    for (interface, function) in [("random", "get-random-bytes"), ("insecure", "get-insecure-random-bytes")] {
        let import = format!(
            r#"(import "wasi:random/{interface}@0.2.6" (instance $imported
                (export "{function}" (func (param "len" u64) (result (list u8))))))"#
        );
        for (size, wanted) in [("some", 1024), ("many", WANTED)] {
            let code = format!("(call $wasi (i64.const {wanted}) (i32.const 1024))");
            let lowered = format!(r#""{function}") (memory $mem) (realloc $realloc)"#);
            let tool = format!("{size}-{interface}");
            let text = calling_wasi(&tool, &import, &lowered, "(param i64 i32)", &code);
            text.write(folder.path(), &format!("{tool}.wasm"));
        }
    }
    Text::tool("crash").calling("unreachable").write(folder.path(), "crash.wasm");
    let server = Server::builder().cluster("demo").arg("--tools").arg(folder.path()).start().await;
    let client = Client::modern(&server);
    for interface in ["random", "insecure"] {
        let some = client.request("tools/call", json!({ "name": format!("some-{interface}"), "arguments": {} })).await;
        assert_eq!(some["result"]["content"], json!([]), "{some}");
    }
    // The first crash takes memory of its own, for the symbols of a backtrace.
    client.failure("crash", json!({})).await;
    let before = sandbar_tests::process::peak(server.id());
    for interface in ["random", "insecure"] {
        for _ in 0..3 {
            let words = client.failure(&format!("many-{interface}"), json!({})).await;
            assert!(words.contains("the tool crashed") && words.contains("65536"), "{interface}: {words}");
        }
    }
    let more = sandbar_tests::process::peak_since(server.id(), before);
    assert!(more < WANTED / 4, "{more} bytes for what is refused");
}
