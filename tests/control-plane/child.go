package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// child is a server in a process of its own. It does not outlive us.
type child struct {
	command *exec.Cmd
	exited  chan struct{}
}

// launch starts a program that logs to NAME.log. Where the system ties a child to the thread that started it, that is the caller's:
// call it from the main goroutine, or from a locked one that stays until the child has exited.
func launch(program, name string, arguments ...string) (*child, error) {
	logFile, err := os.OpenFile(name+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer logFile.Close()
	command := exec.Command(program, arguments...)
	command.Stdout, command.Stderr = logFile, logFile
	command.SysProcAttr = childAttributes()
	if err := command.Start(); err != nil {
		return nil, err
	}
	child := &child{command: command, exited: make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(child.exited)
	}()
	return child, nil
}

// failWhenExited: nobody can test with a part of a control plane.
func (child *child) failWhenExited(name string, fail context.CancelCauseFunc) {
	go func() {
		<-child.exited
		fail(fmt.Errorf("%s has ended (%s), see %s.log", name, child.command.ProcessState, name))
	}()
}

// stop returns when the process is gone.
func (child *child) stop() {
	_ = child.command.Process.Signal(syscall.SIGTERM)
	select {
	case <-child.exited:
	case <-time.After(drainBudget):
		_ = child.command.Process.Kill()
		<-child.exited
	}
}
