;; Sleeps for an hour while it is asked what it serves.
(component
  (import "wasi:io/poll@0.2.6" (instance $poll
    (export "pollable" (type $p (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $p))))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
    (alias outer 1 $pollable (type $outer)) (export "pollable" (type $p (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 0x8000))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      global.get $free
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (core func $subscribe (canon lower (func $clock "subscribe-duration")))
  (core func $block (canon lower (func $poll "[method]pollable.block")))
  (core module $guest
    (import "m" "memory" (memory 1))
    (import "wasi" "subscribe" (func $subscribe (param i64) (result i32)))
    (import "wasi" "block" (func $block (param i32)))
    (data (i32.const 16) "{\"tools\":[{\"name\":\"sleep\",\"inputSchema\":{\"type\":\"object\"}}]}")
    (func (export "manifest") (result i32)
      (call $block (call $subscribe (i64.const 3600000000000)))
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 60))
      i32.const 0)
    (func (export "call") (param i32 i32 i32 i32) (result i32)
      unreachable))
  (core instance $i (instantiate $guest (with "m" (instance $m)) (with "wasi" (instance (export "subscribe" (func $subscribe)) (export "block" (func $block))))))
  (func $manifest (result string)
    (canon lift (core func $i "manifest") (memory $memory) (realloc $realloc)))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
    (canon lift (core func $i "call") (memory $memory) (realloc $realloc)))
  (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
  (export "sandbar:tool/tools@0.1.0" (instance $tools)))
