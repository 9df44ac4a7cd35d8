package main

import (
	"runtime"
	"syscall"
)

// Pdeathsig means the death of the thread that started the child. The main goroutine starts it, and stays on the main thread.
func init() { runtime.LockOSThread() }

// childAttributes: a child keeps out of the terminal's signals, since we stop it in our order, and ends with us, even if we are killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
