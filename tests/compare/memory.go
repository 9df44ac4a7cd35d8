package main

import (
	"fmt"

	"sandbar/tests/compare/page"
)

// memory measures what a server and what it starts hold: at rest after one small call, and at most under one kind of work, each in a
// process of its own.
func (r *run) memory(results *page.Results) {
	most := r.pods[len(r.pods)-1]
	table := page.Table{Name: "memory", Columns: r.names()}
	works := []struct {
		what string
		work func(server int, client *client)
	}{
		{"at rest, after one call", nil},
		{"at most, with 3,000 events", r.asksFor(someEvents)},
		{"at most, with a 12 MB log", r.asksFor(aLog)},
		{fmt.Sprintf("at most, with all of %s pods", page.Number(float64(most))),
			r.asksFor(list("", "pods", fmt.Sprintf("pods-%d", most), most, whole, true))},
		{"at most, with 128 connections for one pod", func(server int, client *client) {
			loaded(128, r.seconds, asking(client, aPod("pods-1").calls[server].message()))
		}},
	}
	for _, work := range works {
		progress("memory " + work.what)
		row := page.Row{What: work.what}
		for index, server := range r.servers {
			process, client := r.start(server, r.cluster.kubeconfig)
			must(client.ask(aPod("pods-1").calls[index]))
			held := process.resident()
			if work.work != nil {
				held = process.peak(func() { work.work(index, client) })
			}
			process.stop()
			row.Cells = append(row.Cells, page.Cell{Value: held / 1e6, Unit: page.Megabytes})
		}
		table.Rows = append(table.Rows, row)
	}
	results.Tables = append(results.Tables, table)
}

// asksFor asks twice, whatever comes of it.
func (r *run) asksFor(question question) func(int, *client) {
	return func(server int, client *client) {
		for range 2 {
			_, _ = client.ask(question.calls[server])
		}
	}
}
