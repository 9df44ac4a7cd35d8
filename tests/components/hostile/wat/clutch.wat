;; Takes hold of the standard output of WASI, again and again, and never lets go.
(component
  (import "wasi:io/error@0.2.6" (instance $errors (export "error" (type (sub resource)))))
  (import "wasi:io/streams@0.2.6" (instance $streams (export "output-stream" (type (sub resource)))))
  (alias export $streams "output-stream" (type $stream))
  (import "wasi:cli/stdout@0.2.6" (instance $stdout
    (alias outer 1 $stream (type $outer)) (export "output-stream" (type $o (eq $outer)))
    (export "get-stdout" (func (result (own $o))))))
  (core module $memory
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 0x8000))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      global.get $free
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))
  (core func $stdout (canon lower (func $stdout "get-stdout")))
  (core module $guest
    (import "m" "memory" (memory 1))
    (import "wasi" "stdout" (func $stdout (result i32)))
    (data (i32.const 16) "{\"tools\":[{\"name\":\"clutch\",\"inputSchema\":{\"type\":\"object\"}}]}")
    (func (export "manifest") (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 61))
      i32.const 0)
    (func (export "call") (param i32 i32 i32 i32) (result i32)
      (loop $again
        (drop (call $stdout))
        (br $again))
      unreachable))
  (core instance $i (instantiate $guest (with "m" (instance $m)) (with "wasi" (instance (export "stdout" (func $stdout))))))
  (func $manifest (result string)
    (canon lift (core func $i "manifest") (memory $memory) (realloc $realloc)))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
    (canon lift (core func $i "call") (memory $memory) (realloc $realloc)))
  (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
  (export "sandbar:tool/tools@0.1.0" (instance $tools)))
