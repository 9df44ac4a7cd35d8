package main

import (
	"os"
	"time"

	"sandbar/tests/compare/page"
)

// starts measures from the start of a process to the first answers: of the list of tools, and of one pod.
func (r *run) starts(results *page.Results) {
	question := aPod("pods-1")
	table := page.Table{Name: "start", Columns: r.names()}
	listed, called, first := make([][]float64, len(r.servers)), make([][]float64, len(r.servers)), make([][]float64, len(r.servers))
	home := r.folder
	for round := range r.rounds/2 + 1 {
		for index, server := range r.servers {
			for _, fresh := range []bool{true, false} {
				r.folder = home
				if fresh {
					r.folder = must(os.MkdirTemp(home, "fresh-"))
				}
				began := time.Now()
				process, client := r.start(server, r.cluster.kubeconfig)
				must(client.ask(call{}))
				list := time.Since(began).Seconds()
				must(client.ask(question.calls[index]))
				all := time.Since(began).Seconds()
				if fresh {
					first[index] = append(first[index], all)
				} else if round > 0 {
					listed[index], called[index] = append(listed[index], list), append(called[index], all)
				}
				process.stop()
			}
		}
	}
	r.folder = home
	for _, row := range []struct {
		what  string
		times [][]float64
	}{{"to the list of tools", listed}, {"to the first pod", called}, {"to the first pod, with empty caches", first}} {
		cells := []page.Cell{}
		for _, times := range row.times {
			cells = append(cells, cell(spread(times, 1e3), page.Milliseconds))
		}
		table.Rows = append(table.Rows, page.Row{What: row.what, Cells: cells})
	}
	results.Tables = append(results.Tables, table)
}
