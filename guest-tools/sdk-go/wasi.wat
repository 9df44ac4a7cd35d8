;; The system that Go's runtime expects (WASI, snapshot preview 1), made of the contract: a component of Go imports no WASI.
;;
;; There are no files, arguments, variables or sockets. The clock is the call's. Waiting ends at once, and the clock has moved on by it. There is no
;; randomness: Go seeds its maps and math/rand by the clock, and crypto/rand ends the call. What is printed is logged, line by line.
;;
;; While the host writes an answer it has Go allocate, and Go may then do anything, collect garbage for example: but nothing of the host can be called.
;; The package says so in a byte. Until then the clock stands, and a line waits.
;;
;; The line and that byte are in the memory that Go leaves free for JavaScript, from 4096 to 12288. `sandbar build` checks that nothing else lies there.
(module
  (import "env" "memory" (memory 0))
  (import "sandbar:tool/context@0.1.0" "now-ms" (func $now_ms (result f64)))
  (import "sandbar:tool/logging@0.1.0" "log" (func $log (param $level i32) (param $text i32) (param $length i32)))

  (global $LINE i32 (i32.const 4096))
  (global $LINE_BYTES i32 (i32.const 8191))
  ;; The byte that is not 0 while the host answers: internal/host/imports.go writes it.
  (global $ANSWERING i32 (i32.const 12287))
  ;; Errors of WASI.
  (global $BADF i32 (i32.const 8))
  (global $NOSYS i32 (i32.const 52))
  ;; Bytes of the line that is kept.
  (global $kept (mut i32) (i32.const 0))
  ;; Nanoseconds of the clock, when it was last asked.
  (global $now (mut i64) (i64.const 0))
  ;; Nanoseconds that were waited.
  (global $waited (mut i64) (i64.const 0))

  (func $end_line (param $level i32)
    (if (i32.and (i32.ne (global.get $kept) (i32.const 0)) (i32.eqz (i32.load8_u (global.get $ANSWERING))))
      (then (call $log (local.get $level) (global.get $LINE) (global.get $kept))))
    (global.set $kept (i32.const 0)))

  ;; Adds text to the line, and logs each that ends. The rest of an endless one is the next line.
  (func $print (param $level i32) (param $text i32) (param $length i32)
    (local $end i32)
    (local $byte i32)
    (local.set $end (i32.add (local.get $text) (local.get $length)))
    (loop $next
      (if (i32.lt_u (local.get $text) (local.get $end))
        (then
          (local.set $byte (i32.load8_u (local.get $text)))
          (if (i32.and (i32.eq (local.get $byte) (i32.const 10)) (i32.eqz (i32.load8_u (global.get $ANSWERING))))
            (then (call $end_line (local.get $level)))
            (else
              (i32.store8 (i32.add (global.get $LINE) (global.get $kept)) (local.get $byte))
              (global.set $kept (i32.add (global.get $kept) (i32.const 1)))
              (if (i32.eq (global.get $kept) (global.get $LINE_BYTES)) (then (call $end_line (local.get $level))))))
          (local.set $text (i32.add (local.get $text) (i32.const 1)))
          (br $next)))))

  ;; Standard output is logged as `info`, standard error, where Go says why it ends, as `error`.
  (func (export "fd_write") (param $file i32) (param $parts i32) (param $count i32) (param $written i32) (result i32)
    (local $sum i32)
    (local $level i32)
    (if (i32.gt_u (i32.sub (local.get $file) (i32.const 1)) (i32.const 1)) (then (return (global.get $BADF))))
    (local.set $level (i32.mul (local.get $file) (i32.const 2)))
    (loop $next
      (if (local.get $count)
        (then
          (call $print (local.get $level) (i32.load (local.get $parts)) (i32.load offset=4 (local.get $parts)))
          (local.set $sum (i32.add (local.get $sum) (i32.load offset=4 (local.get $parts))))
          (local.set $parts (i32.add (local.get $parts) (i32.const 8)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next))))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))

  (func (export "proc_exit") (param i32)
    (call $end_line (i32.const 4))
    unreachable)

  (func (export "clock_time_get") (param $clock i32) (param $precision i64) (param $time i32) (result i32)
    (if (i32.eqz (i32.load8_u (global.get $ANSWERING)))
      (then (global.set $now (i64.mul (i64.trunc_sat_f64_u (call $now_ms)) (i64.const 1000000)))))
    (i64.store (local.get $time) (i64.add (global.get $now) (global.get $waited)))
    (i32.const 0))

  (func (export "clock_res_get") (param $clock i32) (param $resolution i32) (result i32)
    (i64.store (local.get $resolution) (i64.const 1000000))
    (i32.const 0))

  ;; Of what is waited for, the first that is a time has come.
  (func (export "poll_oneoff") (param $for i32) (param $come i32) (param $count i32) (param $number i32) (result i32)
    (loop $next
      (if (i32.eqz (local.get $count)) (then (return (global.get $NOSYS))))
      (if (i32.load8_u offset=8 (local.get $for))
        (then
          (local.set $for (i32.add (local.get $for) (i32.const 48)))
          (local.set $count (i32.sub (local.get $count) (i32.const 1)))
          (br $next))))
    (global.set $waited (i64.add (global.get $waited) (i64.load offset=24 (local.get $for))))
    (i64.store (local.get $come) (i64.load (local.get $for)))
    (i64.store offset=8 (local.get $come) (i64.const 0))
    (i32.store (local.get $number) (i32.const 1))
    (i32.const 0))

  (func $none (param $count i32) (param $bytes i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $bytes) (i32.const 0))
    (i32.const 0))
  (export "args_sizes_get" (func $none))
  (export "environ_sizes_get" (func $none))

  ;; What there is nothing to do for.
  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "sched_yield") (result i32) (i32.const 0))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 0))

  ;; Of the three standard files Go asks what they are: nothing special.
  (func (export "fd_fdstat_get") (param $file i32) (param $status i32) (result i32)
    (if (i32.gt_u (local.get $file) (i32.const 2)) (then (return (global.get $BADF))))
    (i64.store (local.get $status) (i64.const 0))
    (i64.store offset=8 (local.get $status) (i64.const 0))
    (i64.store offset=16 (local.get $status) (i64.const 0))
    (i32.const 0))

  ;; There are no other files.
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (global.get $BADF))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (global.get $BADF))
  (func (export "fd_close") (param i32) (result i32) (global.get $BADF))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (global.get $BADF))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (global.get $BADF))
  (func (export "fd_tell") (param i32 i32) (result i32) (global.get $BADF))
  (func (export "fd_sync") (param i32) (result i32) (global.get $BADF))
  (func (export "fd_datasync") (param i32) (result i32) (global.get $BADF))
  (func (export "fd_advise") (param i32 i64 i64 i32) (result i32) (global.get $BADF))
  (func (export "fd_allocate") (param i32 i64 i64) (result i32) (global.get $BADF))
  (func (export "fd_fdstat_set_rights") (param i32 i64 i64) (result i32) (global.get $BADF))
  (func (export "fd_filestat_get") (param i32 i32) (result i32) (global.get $BADF))
  (func (export "fd_filestat_set_size") (param i32 i64) (result i32) (global.get $BADF))
  (func (export "fd_filestat_set_times") (param i32 i64 i64 i32) (result i32) (global.get $BADF))
  (func (export "fd_pread") (param i32 i32 i32 i64 i32) (result i32) (global.get $BADF))
  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32) (global.get $BADF))
  (func (export "fd_readdir") (param i32 i32 i32 i64 i32) (result i32) (global.get $BADF))
  (func (export "fd_renumber") (param i32 i32) (result i32) (global.get $BADF))

  ;; What there is not.
  (func (export "random_get") (param i32 i32) (result i32) (global.get $NOSYS))
  (func (export "proc_raise") (param i32) (result i32) (global.get $NOSYS))
  (func (export "path_create_directory") (param i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "path_filestat_set_times") (param i32 i32 i32 i32 i64 i64 i32) (result i32) (global.get $NOSYS))
  (func (export "path_link") (param i32 i32 i32 i32 i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "path_readlink") (param i32 i32 i32 i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "path_remove_directory") (param i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "path_rename") (param i32 i32 i32 i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "path_symlink") (param i32 i32 i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "path_unlink_file") (param i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "sock_accept") (param i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "sock_recv") (param i32 i32 i32 i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "sock_send") (param i32 i32 i32 i32 i32) (result i32) (global.get $NOSYS))
  (func (export "sock_shutdown") (param i32 i32) (result i32) (global.get $NOSYS)))
