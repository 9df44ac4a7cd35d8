package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sandbar/tests/compare/page"
)

// faults measures what a model gets, and after which time, while the API server is not well, and whether it gets an answer afterwards.
// All servers are asked at once, each with a proxy of its own: they wait, and compute next to nothing.
func (r *run) faults(results *page.Results) {
	table := page.Table{Name: "faults", Columns: r.names()}
	for _, fault := range []struct {
		what string
		mode mode
	}{
		{"answers after 5 s", slow}, {"does not answer", silent}, {"says 429, to come back after 1 s", throttling},
		{"says 503", unavailable}, {"is gone", gone},
	} {
		progress("the API server " + fault.what)
		row, after := page.Row{What: "It " + fault.what}, page.Row{What: "… and is well again"}
		row.Cells, after.Cells = make([]page.Cell, len(r.servers)), make([]page.Cell, len(r.servers))
		r.each(func(index int) {
			proxy := r.cluster.proxied()
			defer proxy.stop()
			kubeconfig := r.kubeconfig(proxy.address)
			process, client := r.start(r.servers[index], kubeconfig)
			defer process.stop()
			call := aPod("pods-1").calls[index]
			must(client.ask(call))
			proxy.set(fault.mode)
			row.Cells[index] = met(client, call)
			proxy.set(well)
			after.Cells[index] = again(client, call)
		})
		table.Rows = append(table.Rows, row, after)
	}
	progress("a start without an API server")
	row := page.Row{What: "It is gone when the server starts, and then well"}
	row.Cells = make([]page.Cell, len(r.servers))
	r.each(func(index int) {
		proxy := r.cluster.proxied()
		defer proxy.stop()
		proxy.set(gone)
		row.Cells[index] = r.startedWithout(index, proxy)
	})
	table.Rows = append(table.Rows, row)
	results.Tables = append(results.Tables, table)
}

func (r *run) startedWithout(index int, proxy *proxy) (cell page.Cell) {
	defer func() {
		if problem := recover(); problem != nil {
			cell = page.Cell{Note: "does not start: " + page.Clean(fmt.Sprint(problem))}
		}
	}()
	process, client := r.start(r.servers[index], r.kubeconfig(proxy.address))
	defer process.stop()
	call := aPod("pods-1").calls[index]
	first := met(client, call)
	proxy.set(well)
	return page.Cell{Note: first.Note + "; then " + again(client, call).Note}
}

// each does something for each server at once. What goes wrong with one goes wrong here, where everything is stopped.
func (r *run) each(work func(int)) {
	var all sync.WaitGroup
	wrong := make([]any, len(r.servers))
	for index := range r.servers {
		all.Go(func() {
			defer func() { wrong[index] = recover() }()
			work(index)
		})
	}
	all.Wait()
	for _, wrong := range wrong {
		if wrong != nil {
			panic(wrong)
		}
	}
}

// met is what a client meets with a call: an answer, an error that its model reads, or nothing in its time.
func met(client *client, call call) page.Cell {
	began := time.Now()
	said, err := client.ask(call)
	took := page.Seconds(time.Since(began).Seconds())
	switch {
	case err != nil && strings.Contains(err.Error(), "Client.Timeout"):
		return page.Cell{Note: "nothing within " + took}
	case err != nil:
		return page.Cell{Note: fmt.Sprintf("no answer after %s: %s", took, page.Clean(err.Error()))}
	case said.isError || !podName.MatchString(said.text):
		return page.Cell{Note: fmt.Sprintf("after %s: “%s”", took, page.Clean(said.text))}
	}
	return page.Cell{Note: "the answer after " + took}
}

// again asks until there is an answer.
func again(client *client, call call) page.Cell {
	const most = 30.0
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		said, err := client.ask(call)
		took := time.Since(began).Seconds()
		if err == nil && !said.isError && podName.MatchString(said.text) {
			return page.Cell{Note: "answers within " + page.Seconds(took)}
		}
		if took > most {
			return page.Cell{Note: "does not answer within " + page.Seconds(most)}
		}
	}
}

// kubeconfig writes one that leads to an address, and returns its path.
func (r *run) kubeconfig(address string) string {
	text := strings.ReplaceAll(string(must(os.ReadFile(r.cluster.kubeconfig))), r.cluster.server, "https://"+address)
	path := filepath.Join(must(os.MkdirTemp(r.folder, "kubeconfig-")), "config")
	check(os.WriteFile(path, []byte(text), 0o600))
	return path
}
