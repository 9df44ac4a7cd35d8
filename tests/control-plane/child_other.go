//go:build !linux

package main

import "syscall"

// childAttributes: a child keeps out of the terminal's signals, since we stop it in our order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
