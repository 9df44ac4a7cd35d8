package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is a server that runs, with all that it starts.
type process struct {
	command *exec.Cmd
	address string
	ended   chan struct{}
}

// start runs a command in a process group of its own, so that what it starts ends with it. What it says goes to a file.
func start(command *exec.Cmd, address, log string) *process {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	file := must(os.Create(log))
	defer file.Close()
	command.Stdout, command.Stderr = file, file
	check(command.Start())
	process := &process{command, address, make(chan struct{})}
	running.Store(command.Process.Pid, nil)
	go func() {
		_ = command.Wait()
		close(process.ended)
	}()
	return process
}

// running are the processes that are to end with this one.
var running sync.Map

func stopAll() {
	running.Range(func(group, _ any) bool {
		_ = syscall.Kill(-group.(int), syscall.SIGKILL)
		return true
	})
}

func (p *process) stop() {
	running.Delete(p.command.Process.Pid)
	_ = syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

func (p *process) runs() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// resident is the memory of a process and its children, in bytes, as the kernel counts it (VmRSS).
func (p *process) resident() float64 {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if fields := stat(path); fields != nil {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			parent, _ := strconv.Atoi(fields[1])
			children[parent] = append(children[parent], child)
		}
	}
	var sum func(int) float64
	sum = func(id int) float64 {
		total := kilobytes(fmt.Sprintf("/proc/%d/status", id), "VmRSS")
		for _, child := range children[id] {
			total += sum(child)
		}
		return total
	}
	return sum(p.command.Process.Pid)
}

// peak is the most resident memory while something runs, looked at every 10 ms.
func (p *process) peak(work func()) float64 {
	done, most := make(chan struct{}), make(chan float64)
	go func() {
		peak := p.resident()
		for {
			select {
			case <-done:
				most <- max(peak, p.resident())
				return
			case <-time.After(10 * time.Millisecond):
				peak = max(peak, p.resident())
			}
		}
	}()
	work()
	close(done)
	return <-most
}

// highest is the most resident memory of the process itself while something runs, as the kernel keeps it: looking takes no time.
func (p *process) highest(work func()) float64 {
	folder := fmt.Sprintf("/proc/%d", p.command.Process.Pid)
	check(os.WriteFile(folder+"/clear_refs", []byte("5"), 0)) // forgets what was before: see proc_pid_clear_refs(5)
	work()
	return kilobytes(folder+"/status", "VmHWM")
}

// kilobytes is a number of a file of the kernel's, in bytes.
func kilobytes(path, name string) float64 {
	number, _ := strconv.ParseFloat(strings.TrimSuffix(field(path, name), " kB"), 64)
	return number * 1024
}

// computed is the processor time of a process and of its children that have ended, in seconds.
func computed(id int) float64 {
	ticks := 0.0
	if fields := stat(fmt.Sprintf("/proc/%d/stat", id)); fields != nil {
		for _, field := range fields[11:15] {
			number, _ := strconv.ParseFloat(field, 64)
			ticks += number
		}
	}
	return ticks / 100 // a hundredth of a second each: see sysconf(3), _SC_CLK_TCK
}

// stat is what stands behind the name of a process, which may hold anything, in proc_pid_stat(5).
func stat(path string) []string {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text)[strings.LastIndexByte(string(text), ')')+1:])
}

func freeAddress() string {
	listener := must(net.Listen("tcp", "127.0.0.1:0"))
	defer listener.Close()
	return listener.Addr().String()
}
