;; Writes all of its memory, again and again: each time one instruction, during which no wasm runs that could be interrupted.
(component
  (core module $guest
    (memory (export "memory") 240)
    (global $free (mut i32) (i32.const 0x8000))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      global.get $free
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16)))))
    (data (i32.const 16) "{\"tools\":[{\"name\":\"fill\",\"inputSchema\":{\"type\":\"object\"}}]}")
    (func (export "manifest") (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 59))
      i32.const 0)
    (func (export "call") (param i32 i32 i32 i32) (result i32)
      (loop $again
        (memory.fill (i32.const 0x10000) (i32.const 0x5a) (i32.const 0xef0000))
        (br $again))
      unreachable))
  (core instance $i (instantiate $guest))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))
  (func $manifest (result string)
    (canon lift (core func $i "manifest") (memory $memory) (realloc $realloc)))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
    (canon lift (core func $i "call") (memory $memory) (realloc $realloc)))
  (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
  (export "sandbar:tool/tools@0.1.0" (instance $tools)))
