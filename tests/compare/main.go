// Command compare asks Sandbar and its neighbours the same of one real API server, in turn, and writes what came out: the numbers to
// docs/explanation/comparison.json, and from them the tables and the plots of docs/explanation/comparison.md. `make compare` runs it.
//
// Where things are:
//
//	servers.go    who is compared, how each is started, and which of its tools answers what
//	cluster.go    the API server, what is in it, and the bare requests
//	client.go     MCP over HTTP, as cheap as it gets
//	process.go    processes with their children: memory, processor time, their end
//	questions.go  what is asked, and by which tool of each
//	answers.go    time, bytes and tokens of an answer
//	load.go       many connections at once
//	start.go      from the start of a process to its first answers
//	memory.go     what is held at rest and at most
//	proxy.go      what stands before the API server and can be unwell in its place
//	faults.go     an API server that is slow, silent, throttling or gone
//	curve.go      Sandbar alone, as pods, clients, tools and replicas grow
//	page/         the page, from the numbers alone
package main

import (
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"sandbar/tests/compare/page"
)

// scale is how much is measured.
type scale struct {
	rounds   int     // of each question
	seconds  float64 // of each load
	loads    int     // rounds of each load
	pods     []int   // in a namespace each
	patience float64 // seconds until a client gives up
}

var (
	full  = scale{rounds: 9, seconds: 2, loads: 3, pods: []int{1, 10, 100, 1000, 10000}, patience: 90}
	quick = scale{rounds: 2, seconds: 0.5, loads: 1, pods: []int{1, 10, 100, 1000}, patience: 12}
)

func main() {
	sandbar := flag.String("sandbar", "", "the binary")
	peers := flag.String("peers", "", "the folder that peers/setup.sh has printed")
	programs := flag.String("control-plane", "", "the folder that control-plane/build.sh has printed")
	docs := flag.String("docs", "docs/explanation", "the folder of the page")
	small := flag.Bool("quick", false, "small numbers, to see whether everything runs; the page stays as it is")
	only := flag.String("only", "", "parts by their names; of the others the numbers stay that are there")
	flag.Parse()

	run := run{scale: full, programs: *programs, peers: *peers}
	if *small {
		run.scale = quick
	}
	run.sandbar = must(filepath.Abs(*sandbar))
	run.folder = must(os.MkdirTemp("", "sandbar-compare-"))
	defer os.RemoveAll(run.folder)
	defer stopAll()
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-interrupted
		stopAll()
		_ = os.RemoveAll(run.folder)
		os.Exit(1)
	}()
	run.cluster = startCluster(run.programs, run.folder)
	defer run.cluster.stop()
	run.cluster.fill(run.scale.pods)
	run.servers = run.neighbours()

	results := run.about()
	if *only != "" && !*small {
		check(results.Keep(*docs))
	}
	for _, part := range []struct {
		name    string
		measure func(*page.Results)
	}{
		{"answers", run.answers}, {"load", run.loads}, {"start", run.starts}, {"memory", run.memory},
		{"faults", run.faults}, {"curve", run.curve},
	} {
		if *only == "" || slices.Contains(strings.Split(*only, ","), part.name) {
			progress(part.name)
			run.cluster.settle()
			from := len(results.Tables)
			part.measure(&results)
			fmt.Print(results.Text(from))
		}
	}
	if *small {
		*docs = must(os.MkdirTemp("", "sandbar-compare-page-"))
		progress("the plots are in " + *docs)
	}
	check(page.Write(*docs, results))
}

// run is one run of the comparison.
type run struct {
	scale
	sandbar, peers, programs, folder string
	cluster                          *cluster
	servers                          []server
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func must[T any](value T, err error) T {
	check(err)
	return value
}
