package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"sandbar/tests/compare/page"
)

// load is what many connections at once have seen.
type load struct {
	rate, p50, p99 float64 // calls a second that were answered; seconds
	failed         int
	why            string
	calls          int
}

// loaded asks over so many connections for so long, each the next as soon as it has its answer.
func loaded(connections int, seconds float64, ask func(worker int) error) load {
	var all load
	var times []float64
	var lock sync.Mutex
	var workers sync.WaitGroup
	began := time.Now()
	for worker := range connections {
		workers.Go(func() {
			var own []float64
			var failed int
			var why string
			for time.Since(began).Seconds() < seconds {
				asked := time.Now()
				if err := ask(worker); err != nil {
					failed++
					why = err.Error()
					// Whoever is refused waits before the next try.
					time.Sleep(10 * time.Millisecond)
					continue
				}
				own = append(own, time.Since(asked).Seconds())
			}
			lock.Lock()
			defer lock.Unlock()
			times = append(times, own...)
			all.failed += failed
			if why != "" {
				all.why = why
			}
		})
	}
	workers.Wait()
	all.calls = len(times)
	all.rate = float64(len(times)) / time.Since(began).Seconds()
	if len(times) > 0 {
		slices.Sort(times)
		all.p50, all.p99 = times[len(times)/2], times[len(times)*99/100]
	}
	return all
}

// asking is a call of a server for a load: it looks at no more of the answer than whether it is one.
func asking(client *client, body []byte) func(int) error {
	return func(int) error {
		answer, err := client.exchange(body)
		if err == nil && (!bytes.Contains(answer, []byte(`"result"`)) || bytes.Contains(answer, []byte(`"isError":true`))) {
			err = fmt.Errorf("%.200s", answer)
		}
		return err
	}
}

// loads measures calls for one pod over more and more connections, the API server alone beside all servers.
func (r *run) loads(results *page.Results) {
	question := aPod("pods-1")
	columns := append([]string{page.Bare}, r.names()...)
	rates := page.Table{Name: "rate", Columns: columns}
	tails := page.Table{Name: "p99", Columns: columns}
	costs := page.Table{Name: "cpu", Columns: r.names()}
	plot := page.Plot{Name: "rate", Title: "Calls a second for one pod", X: "connections", Y: "calls a second"}
	for _, name := range columns {
		plot.Series = append(plot.Series, page.Series{Name: name})
	}
	asks := []func(int) error{func(int) error {
		_, err := r.cluster.send(http.MethodGet, question.bare, nil)
		return err
	}}
	processes := []*process{nil}
	for index, server := range r.servers {
		process, client := r.start(server, r.cluster.kubeconfig)
		defer process.stop()
		processes = append(processes, process)
		asks = append(asks, asking(client, question.calls[index].message()))
	}
	for _, connections := range []int{1, 8, 32, 128} {
		progress(fmt.Sprint(connections, " connections"))
		rate, p99, cost := make([][]float64, len(asks)), make([][]float64, len(asks)), make([][]float64, len(asks))
		failed, why := make([]int, len(asks)), make([]string, len(asks))
		for round := range r.scale.loads {
			for offset := range asks {
				at := (round + offset) % len(asks)
				before := 0.0
				if processes[at] != nil {
					before = computed(processes[at].command.Process.Pid)
				}
				load := loaded(connections, r.seconds, asks[at])
				failed[at] += load.failed
				if load.why != "" {
					why[at] = load.why
				}
				if load.calls == 0 {
					continue
				}
				rate[at], p99[at] = append(rate[at], load.rate), append(p99[at], load.p99)
				if processes[at] != nil {
					cost[at] = append(cost[at], (computed(processes[at].command.Process.Pid)-before)/float64(load.calls))
				}
			}
		}
		what := fmt.Sprintf("%d connections", connections)
		if connections == 1 {
			what = "1 connection"
		}
		cells := func(unit page.Unit, numbers [][]float64, factor float64) (cells []page.Cell) {
			for at, numbers := range numbers {
				cell := cell(spread(numbers, factor), unit)
				cell.Unit = unit
				if len(numbers) == 0 && at > 0 {
					cell = page.Cell{Failed: page.Clean(why[at])}
				} else if failed[at] > 0 && unit == page.PerSecond {
					cell.Note = fmt.Sprintf("%d failed: %s", failed[at], page.Clean(why[at]))
				}
				cells = append(cells, cell)
			}
			return cells
		}
		for at, numbers := range rate {
			if len(numbers) > 0 {
				plot.Series[at].Add(float64(connections), spread(numbers, 1).Value)
			}
		}
		rates.Rows = append(rates.Rows, page.Row{What: what, Cells: cells(page.PerSecond, rate, 1)})
		tails.Rows = append(tails.Rows, page.Row{What: what, Cells: cells(page.Milliseconds, p99, 1e3)})
		costs.Rows = append(costs.Rows, page.Row{What: what, Cells: cells(page.Milliseconds, cost, 1e3)[1:]})
	}
	results.Tables = append(results.Tables, rates, tails, costs)
	results.Plots = append(results.Plots, plot)
}

func progress(what string) { fmt.Fprintln(os.Stderr, time.Now().Format(time.TimeOnly), what) }
