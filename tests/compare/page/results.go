// Package page makes docs/explanation/comparison.md of what `make compare` has measured. It measures nothing: the same numbers always
// give the same page.
package page

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Results are all that the page is made from, and docs/explanation/comparison.json.
type Results struct {
	Machine Machine
	// Sandbar stands first.
	Servers []Server
	Tables  []Table
	Plots   []Plot
}

// Machine is what the numbers are of.
type Machine struct {
	Date, Processor, Memory, Kernel, Kubernetes string
	Cores                                       int
}

// Server is one that is compared.
type Server struct {
	Name, Version, What string
	Started             string // how
}

// Bare is the column of the requests that a server has to make itself.
const Bare = "the bare request"

// Table has a row for each thing measured.
type Table struct {
	Name    string
	Columns []string
	Rows    []Row
}

// Row is one thing, measured in each column.
type Row struct {
	What  string
	Cells []Cell
}

// Cell is a number, or words where there is none.
type Cell struct {
	Value float64 `json:",omitempty"`
	// What nine of ten stay above, and below.
	Low, High float64 `json:",omitempty"`
	Unit      Unit    `json:",omitempty"`
	// Whether it is of an answer that lacks some of what was asked for, and so not in the running.
	Short bool `json:",omitempty"`
	// What came instead of a number.
	Failed string `json:",omitempty"`
	Note   string `json:",omitempty"`
}

// Unit is what a number counts.
type Unit string

// The units.
const (
	Milliseconds Unit = "ms"
	Bytes        Unit = "bytes"
	Tokens       Unit = "tokens"
	Count        Unit = "count"
	PerSecond    Unit = "a second"
	Megabytes    Unit = "MB"
	Processors   Unit = "processors"
)

// Plot is a picture: a line for each series, or bars.
type Plot struct {
	Name, Title, X, Y string
	Series            []Series
}

// Series are points, from left to right.
type Series struct {
	Name   string
	Points [][2]float64
}

// Add adds a point.
func (s *Series) Add(x, y float64) { s.Points = append(s.Points, [2]float64{x, y}) }

// Keep takes over the numbers of an earlier run of the same day, machine and servers; those that are measured again come after them.
func (r *Results) Keep(folder string) error {
	text, err := os.ReadFile(filepath.Join(folder, "comparison.json"))
	if err != nil {
		return err
	}
	var before Results
	if err := json.Unmarshal(text, &before); err != nil {
		return err
	}
	if before.Machine != r.Machine || !slices.Equal(before.Servers, r.Servers) {
		return fmt.Errorf("the page is of %+v and %+v, and this is another: measure all of it", before.Machine, before.Servers)
	}
	r.Tables, r.Plots = before.Tables, before.Plots
	return nil
}

// newest puts what was measured again in the place of what was measured before.
func (r *Results) newest() {
	r.Tables = newest(r.Tables, func(table Table) string { return table.Name })
	r.Plots = newest(r.Plots, func(plot Plot) string { return plot.Name })
}

func newest[T any](all []T, name func(T) string) (kept []T) {
	for _, one := range all {
		if at := slices.IndexFunc(kept, func(other T) bool { return name(other) == name(one) }); at >= 0 {
			kept[at] = one
		} else {
			kept = append(kept, one)
		}
	}
	return kept
}
