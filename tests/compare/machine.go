package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"sandbar/tests/compare/page"
)

// machine is what the numbers are of.
func (r *run) machine() page.Machine {
	var kubernetes struct{ GitVersion string }
	check(json.Unmarshal(must(r.cluster.send("GET", "/version", nil)), &kubernetes))
	return page.Machine{
		Date: time.Now().UTC().Format(time.DateOnly), Processor: field("/proc/cpuinfo", "model name"), Cores: runtime.NumCPU(),
		Memory: fmt.Sprintf("%.0f GB", kilobytes("/proc/meminfo", "MemTotal")/1e9), Kernel: strings.TrimSpace(string(must(os.ReadFile("/proc/sys/kernel/osrelease")))),
		Kubernetes: kubernetes.GitVersion,
	}
}

// field is what stands behind a name and a colon in a file of the kernel's, if it is there.
func field(path, name string) string {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if before, after, found := strings.Cut(line, ":"); found && strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return ""
}
