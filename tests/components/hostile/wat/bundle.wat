;; Two components in one, as a composition tool makes them. Each has a memory of its own, and each takes as much of it as it gets:
;; the tool calls the other one first.
(component
  (component $library
    (core module $greedy
      (memory 1)
      (func (export "grow") (result i32)
        (loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
        memory.size))
    (core instance $i (instantiate $greedy))
    (func (export "grow") (result u32) (canon lift (core func $i "grow"))))
  (instance $bundled (instantiate $library))

  (component $tool
    (import "grow" (func $grow (result u32)))
    (core func $grow (canon lower (func $grow)))
    (core module $guest
      (import "bundled" "grow" (func $grow (result i32)))
      (memory (export "memory") 1)
      (global $free (mut i32) (i32.const 0x8000))
      (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
        global.get $free
        (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16)))))
      (data (i32.const 16) "{\"tools\":[{\"name\":\"bundle\",\"inputSchema\":{\"type\":\"object\"}}]}")
      (func (export "manifest") (result i32)
        (i32.store (i32.const 0) (i32.const 16))
        (i32.store (i32.const 4) (i32.const 61))
        i32.const 0)
      ;; The other one has left less than 16 pages. Whoever gets them nevertheless computes for ever, which is another limit.
      (func (export "call") (param i32 i32 i32 i32) (result i32)
        (drop (call $grow))
        (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then (loop $forever (br $forever))))
        unreachable))
    (core instance $i (instantiate $guest (with "bundled" (instance (export "grow" (func $grow))))))
    (alias core export $i "memory" (core memory $memory))
    (alias core export $i "realloc" (core func $realloc))
    (func $manifest (result string)
      (canon lift (core func $i "manifest") (memory $memory) (realloc $realloc)))
    (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
      (canon lift (core func $i "call") (memory $memory) (realloc $realloc)))
    (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
    (export "sandbar:tool/tools@0.1.0" (instance $tools)))
  (instance $serving (instantiate $tool (with "grow" (func $bundled "grow"))))
  (export "sandbar:tool/tools@0.1.0" (instance $serving "sandbar:tool/tools@0.1.0")))
