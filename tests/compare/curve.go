package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sandbar/tests/compare/page"
)

// curve measures how time, tokens and memory grow with pods, clients, tools and replicas.
func (r *run) curve(results *page.Results) {
	r.curveOfPods(results)
	r.curveOfClients(results)
	r.curveOfTools(results)
	r.curveOfReplicas(results)
}

// curveOfPods asks all servers for namespaces of different sizes: Sandbar for the first answer, and for all pages.
func (r *run) curveOfPods(results *page.Results) {
	clients := make([]*client, len(r.servers)+1)
	for index, server := range r.servers {
		var process *process
		process, clients[index+1] = r.start(server, r.cluster.kubeconfig)
		defer process.stop()
	}
	clients[0] = clients[1]
	names := append([]string{page.Bare, "Sandbar, the first answer", "Sandbar, all pages"}, r.names()[1:]...)
	times := page.Plot{Name: "pods-time", Title: "Time of a list of pods", X: "pods in the namespace", Y: "milliseconds"}
	read := page.Plot{Name: "pods-tokens", Title: "What a model reads of a list of pods", X: "pods in the namespace", Y: "tokens"}
	for _, name := range names {
		times.Series = append(times.Series, page.Series{Name: name})
		if name != page.Bare {
			read.Series = append(read.Series, page.Series{Name: name})
		}
	}
	for _, pods := range r.pods {
		progress(fmt.Sprint(pods, " pods"))
		namespace := fmt.Sprintf("pods-%d", pods)
		question := list("", "pods", namespace, pods, whole, true)
		first := list("", "pods", namespace, pods, nil, false).calls[0]
		question.calls = append([]call{first}, question.calls...)
		question.rounds = (r.rounds + 2) / 3
		for at, asked := range r.inTurn(question, clients) {
			if asked.failed != "" {
				continue
			}
			times.Series[at].Add(float64(pods), spread(asked.times, 1e3).Value)
			if at > 0 {
				read.Series[at-1].Add(float64(pods), float64(must(tokens.Count(asked.said.text))))
			}
		}
	}
	results.Plots = append(results.Plots, times, read)
}

// share is who has used the processors while something ran: Sandbar, the API server with etcd, and this program, in processors.
func (r *run) share(seconds func() float64, processes ...*process) func() [3]float64 {
	used := func() (now [3]float64) {
		for _, process := range processes {
			now[0] += computed(process.command.Process.Pid)
		}
		return [3]float64{now[0], computed(r.cluster.command.Process.Pid), computed(os.Getpid())}
	}
	before := used()
	return func() (share [3]float64) {
		for at, now := range used() {
			share[at] = (now - before[at]) / seconds()
		}
		return share
	}
}

// loadedShare is what came of a load, and who computed.
type loadedShare struct {
	load
	share [3]float64
}

// underLoad loads some replicas of Sandbar, each request to the next of them, some times, and returns what lies in the middle.
func (r *run) underLoad(connections int, clients []*client, processes []*process, body []byte) loadedShare {
	var rounds []loadedShare
	turns := make([]int, connections)
	for range r.scale.loads {
		began := time.Now()
		shares := r.share(func() float64 { return time.Since(began).Seconds() }, processes...)
		load := loaded(connections, r.seconds, func(worker int) error {
			turns[worker]++
			return asking(clients[(worker+turns[worker])%len(clients)], body)(worker)
		})
		rounds = append(rounds, loadedShare{load, shares()})
	}
	slices.SortFunc(rounds, func(a, b loadedShare) int { return cmp.Compare(a.rate, b.rate) })
	return rounds[len(rounds)/2]
}

func (r *run) curveOfClients(results *page.Results) {
	question := aPod("pods-1")
	body := question.calls[0].message()
	table := page.Table{Name: "clients", Columns: []string{"calls a second", "median", "p99", "Sandbar's memory", "failed", "processors: Sandbar", "API server", "clients"}}
	plot := page.Plot{Name: "clients", Title: "Calls for one pod, by clients at once", X: "clients", Y: "milliseconds",
		Series: []page.Series{{Name: "median"}, {Name: "p99"}}}
	for _, clients := range []int{1, 3, 10, 30, 100, 300, 1000} {
		progress(fmt.Sprint(clients, " clients"))
		sandbar, one := r.start(r.servers[0], r.cluster.kubeconfig)
		must(one.ask(question.calls[0]))
		var load loadedShare
		held := sandbar.highest(func() {
			load = r.underLoad(clients, []*client{one}, []*process{sandbar}, body)
		})
		sandbar.stop()
		table.Rows = append(table.Rows, page.Row{What: fmt.Sprint(clients), Cells: cells(load, held)})
		plot.Series[0].Add(float64(clients), load.p50*1e3)
		plot.Series[1].Add(float64(clients), load.p99*1e3)
	}
	results.Tables = append(results.Tables, table)
	results.Plots = append(results.Plots, plot)
}

// cells are those of a row about a load, and the memory that was held.
func cells(load loadedShare, held float64) []page.Cell {
	cells := []page.Cell{
		{Value: load.rate, Unit: page.PerSecond}, {Value: load.p50 * 1e3, Unit: page.Milliseconds}, {Value: load.p99 * 1e3, Unit: page.Milliseconds},
		{Value: held / 1e6, Unit: page.Megabytes}, {Value: float64(load.failed), Unit: page.Count, Note: page.Clean(load.why)},
	}
	for _, share := range load.share {
		cells = append(cells, page.Cell{Value: share, Unit: page.Processors})
	}
	return cells
}

// curveOfTools serves so many tools, each a script.
func (r *run) curveOfTools(results *page.Results) {
	table := page.Table{Name: "tools", Columns: []string{"first start", "next start", "memory at rest", "list of tools", "its time", "a call"}}
	for _, tools := range []int{1, 2, 4, 8, 16, 32, 64, 128} {
		progress(fmt.Sprint(tools, " tools"))
		folder := must(os.MkdirTemp(r.folder, "tools-"))
		var config strings.Builder
		config.WriteString("bundled: { packs: [] }\ntools:\n")
		for number := range tools {
			file := filepath.Join(folder, fmt.Sprintf("tool-%d.js", number))
			check(os.WriteFile(file, fmt.Appendf(nil, script, number), 0o600))
			fmt.Fprintf(&config, "  - script: %s\n", file)
		}
		file := filepath.Join(folder, "sandbar.yaml")
		check(os.WriteFile(file, []byte(config.String()), 0o600))
		// With compiled components of its own, of which there are none yet.
		own := *r
		own.folder = folder
		starts := []float64{}
		var held float64
		var listed, called []float64
		var said answer
		for range 3 {
			address := freeAddress()
			began := time.Now()
			process, client := own.begin(own.serve(address, r.cluster.kubeconfig, "--config", file), address, "tools")
			for {
				said = must(client.ask(call{}))
				if strings.Count(said.text, `"inputSchema"`) == tools {
					break
				}
			}
			starts = append(starts, time.Since(began).Seconds())
			echo := call{tool: fmt.Sprintf("echo_%d", tools-1), arguments: object{"word": "hello"}}
			for range r.rounds {
				began = time.Now()
				must(client.ask(call{}))
				listed = append(listed, time.Since(began).Seconds())
				began = time.Now()
				if said := must(client.ask(echo)); said.isError || !bytes.Contains([]byte(said.text), []byte("hello")) {
					panic(said.text)
				}
				called = append(called, time.Since(began).Seconds())
			}
			held = process.resident()
			process.stop()
		}
		table.Rows = append(table.Rows, page.Row{What: fmt.Sprint(tools), Cells: []page.Cell{
			{Value: starts[0] * 1e3, Unit: page.Milliseconds}, {Value: min(starts[1], starts[2]) * 1e3, Unit: page.Milliseconds},
			{Value: held / 1e6, Unit: page.Megabytes}, {Value: float64(len(said.text)), Unit: page.Bytes},
			{Value: spread(listed, 1e3).Value, Unit: page.Milliseconds}, {Value: spread(called, 1e3).Value, Unit: page.Milliseconds},
		}})
	}
	results.Tables = append(results.Tables, table)
}

const script = `export const manifest = {
  rules: [],
  tools: [{
    name: "echo_%[1]d",
    title: "Echo",
    description: "Says the word that it is given, and nothing else; it is one of several tools that are alike.",
    inputSchema: { type: "object", properties: { word: { type: "string", description: "What to say." } }, required: ["word"], additionalProperties: false },
    outputSchema: { type: "object", properties: { word: { type: "string" } }, required: ["word"] },
  }],
};
export function echo_%[1]d({ word }) { return { word }; }
`

// curveOfReplicas spreads one session's calls over several servers, each call to the next.
func (r *run) curveOfReplicas(results *page.Results) {
	question := aPod("pods-1")
	table := page.Table{Name: "replicas", Columns: []string{"calls a second", "median", "p99", "memory of all", "failed", "processors: Sandbar", "API server", "clients"}}
	for _, replicas := range []int{1, 2, 3} {
		progress(fmt.Sprint(replicas, " replicas"))
		var processes []*process
		var clients []*client
		for range replicas {
			process, next := r.start(r.servers[0], r.cluster.kubeconfig)
			must(next.ask(question.calls[0]))
			processes, clients = append(processes, process), append(clients, next)
			// One session, begun with the first of them.
			next.session = clients[0].session
		}
		load := r.underLoad(32, clients, processes, question.calls[0].message())
		held := 0.0
		for _, process := range processes {
			held += process.resident()
			process.stop()
		}
		table.Rows = append(table.Rows, page.Row{What: fmt.Sprint(replicas), Cells: cells(load, held)})
	}
	results.Tables = append(results.Tables, table)
}
