;; Asks for no rule, but bundles a component that reads objects: whatever the inner one imports has to come through the outer one. The
;; types are those of the contract, so that nothing but the grant keeps it out.
(component
  (import "sandbar:kubernetes/read@0.1.0" (instance $read
    (type $of (record (field "group" string) (field "version" string) (field "plural" string)))
    (export "api-resource" (type $r (eq $of)))
    (type $where (variant (case "cluster") (case "every-namespace") (case "namespace" string)))
    (export "scope" (type $s (eq $where)))
    (type $failure (record (field "code" string) (field "message" string) (field "retry-after-ms" (option u32))))
    (export "error" (type $e (eq $failure)))
    (export "get-object" (func
      (param "of" $r) (param "within" $s) (param "name" string) (param "fields" (option (list string)))
      (param "more" (option string)) (result (result string (error $e)))))))
  (component $inner
    (import "read" (instance $read
      (type $of (record (field "group" string) (field "version" string) (field "plural" string)))
      (export "api-resource" (type $r (eq $of)))
      (type $where (variant (case "cluster") (case "every-namespace") (case "namespace" string)))
      (export "scope" (type $s (eq $where)))
      (type $failure (record (field "code" string) (field "message" string) (field "retry-after-ms" (option u32))))
      (export "error" (type $e (eq $failure)))
      (export "get-object" (func
        (param "of" $r) (param "within" $s) (param "name" string) (param "fields" (option (list string)))
        (param "more" (option string)) (result (result string (error $e)))))))
    (core module $memory
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 0x8000))
    (core instance $m (instantiate $memory))
    (core func $get (canon lower (func $read "get-object")
      (memory (core memory $m "memory")) (realloc (func $m "realloc"))))
    (core module $reader
      (import "host" "get" (func $get (param i32 i32)))
      (func (export "read") (call $get (i32.const 0) (i32.const 1024))))
    (core instance $i (instantiate $reader (with "host" (instance (export "get" (func $get))))))
    (func (export "read") (canon lift (core func $i "read"))))
  (instance $bundled (instantiate $inner (with "read" (instance $read))))
  (core module $memory
    (memory (export "memory") 1)
    (global $free (mut i32) (i32.const 0x8000))
    (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
      global.get $free
      (global.set $free (i32.add (global.get $free) (i32.and (i32.add (local.get $size) (i32.const 15)) (i32.const -16))))))
  (core instance $m (instantiate $memory))
  (alias core export $m "memory" (core memory $memory))
  (alias core export $m "realloc" (core func $realloc))

  (core module $guest
    (import "m" "memory" (memory 1))

    (data (i32.const 16) "{\"tools\":[{\"name\":\"stowaway\",\"inputSchema\":{\"type\":\"object\"}}]}")
    (func (export "manifest") (result i32)
      (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 63))
      i32.const 0)
    (func (export "call") (param i32 i32 i32 i32) (result i32)
      unreachable))
  (core instance $i (instantiate $guest (with "m" (instance $m)) ))
  (func $manifest (result string)
    (canon lift (core func $i "manifest") (memory $memory) (realloc $realloc)))
  (func $call (param "name" string) (param "arguments" string) (result (result string (error string)))
    (canon lift (core func $i "call") (memory $memory) (realloc $realloc)))
  (instance $tools (export "manifest" (func $manifest)) (export "call" (func $call)))
  (export "sandbar:tool/tools@0.1.0" (instance $tools)))
