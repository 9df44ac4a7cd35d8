;; Asks WASI for sockets until it gets no more, and keeps them.
(component
  (import "wasi:sockets/network@0.2.6" (instance $network
    (type $codes (enum "unknown" "access-denied" "not-supported" "invalid-argument" "out-of-memory" "timeout" "concurrency-conflict"
      "not-in-progress" "would-block" "invalid-state" "new-socket-limit" "address-not-bindable" "address-in-use" "remote-unreachable"
      "connection-refused" "connection-reset" "connection-aborted" "datagram-too-large" "name-unresolvable"
      "temporary-resolver-failure" "permanent-resolver-failure"))
    (export "error-code" (type (eq $codes)))
    (type $family (enum "ipv4" "ipv6"))
    (export "ip-address-family" (type (eq $family)))))
  (alias export $network "error-code" (type $code))
  (alias export $network "ip-address-family" (type $family))
  (import "wasi:sockets/udp@0.2.6" (instance $udp (export "udp-socket" (type (sub resource)))))
  (alias export $udp "udp-socket" (type $socket))
  (import "wasi:sockets/udp-create-socket@0.2.6" (instance $create
    (alias outer 1 $code (type $oc)) (export "error-code" (type $c (eq $oc)))
    (alias outer 1 $family (type $of)) (export "ip-address-family" (type $f (eq $of)))
    (alias outer 1 $socket (type $os)) (export "udp-socket" (type $s (eq $os)))
    (export "create-udp-socket" (func (param "address-family" $f) (result (result (own $s) (error $c)))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 0x8000))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      global.get $free
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (core func $create (canon lower (func $create "create-udp-socket") (memory $memory)))
  (core module $guest
    (import "m" "memory" (memory 1))
    (import "wasi" "create" (func $create (param i32 i32)))
    (data (i32.const 16) "{\"tools\":[{\"name\":\"hoard\",\"inputSchema\":{\"type\":\"object\"}}]}")
    (func (export "manifest") (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 60))
      i32.const 0)
    (func (export "call") (param i32 i32 i32 i32) (result i32)
      (loop $more
        (call $create (i32.const 0) (i32.const 1024))
        (br_if $more (i32.eqz (i32.load8_u (i32.const 1024)))))
      (loop $forever (br $forever))
      unreachable))
  (core instance $i (instantiate $guest (with "m" (instance $m)) (with "wasi" (instance (export "create" (func $create))))))
  (func $manifest (result string)
    (canon lift (core func $i "manifest") (memory $memory) (realloc $realloc)))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
    (canon lift (core func $i "call") (memory $memory) (realloc $realloc)))
  (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
  (export "sandbar:tool/tools@0.1.0" (instance $tools)))
