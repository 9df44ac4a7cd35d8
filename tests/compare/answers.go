package main

import (
	"net/http"
	"slices"
	"time"

	"github.com/tiktoken-go/tokenizer"

	"sandbar/tests/compare/page"
)

// tokens counts as the newer models of OpenAI do; the vocabulary is inside the library.
var tokens = must(tokenizer.Get(tokenizer.O200kBase))

// asked is what came of a question at one server.
type asked struct {
	times  []float64 // seconds
	said   answer
	failed string
}

// inTurn asks the API server and all servers a question in turn, after one round that does not count. The first of the answers is the
// API server's.
func (r *run) inTurn(question question, clients []*client) []asked {
	all := make([]asked, len(clients)+1)
	for round := range question.rounds + 1 {
		for offset := range all {
			at := (round + offset) % len(all)
			if all[at].failed != "" || at == 0 && question.bare == "" {
				continue
			}
			began := time.Now()
			var said answer
			var err error
			if at == 0 {
				var body []byte
				body, err = r.cluster.send(http.MethodGet, question.bare, nil)
				said = answer{wire: len(body)}
			} else {
				said, err = clients[at-1].ask(question.calls[at-1])
			}
			took := time.Since(began).Seconds()
			all[at].said = said
			if err != nil {
				all[at].failed = err.Error()
			} else if said.isError {
				all[at].failed = said.text
			} else if round > 0 {
				all[at].times = append(all[at].times, took)
			}
		}
	}
	return all
}

// answers measures each question: time, what is in the answer, its bytes and its tokens.
func (r *run) answers(results *page.Results) {
	clients := make([]*client, len(r.servers))
	for index, server := range r.servers {
		var process *process
		process, clients[index] = r.start(server, r.cluster.kubeconfig)
		defer process.stop()
	}
	columns := append([]string{page.Bare}, r.names()...)
	tables := [4]page.Table{
		{Name: "time", Columns: columns}, {Name: "bytes", Columns: columns}, {Name: "tokens", Columns: r.names()}, {Name: "items", Columns: r.names()},
	}
	bare := 0.0
	for _, question := range r.questions() {
		progress(question.what)
		rows := [4]page.Row{}
		for at, asked := range r.inTurn(question, clients) {
			named := map[string]bool{}
			for _, name := range question.item.FindAllString(asked.said.text, -1) {
				named[name] = true
			}
			time := spread(asked.times, 1e3)
			if at == 0 && question.bare == "" {
				rows[0].Cells, rows[1].Cells = []page.Cell{{}}, []page.Cell{{}}
				continue
			} else if at == 0 {
				bare = time.Value
			} else if bare > 0 {
				time.Note = "×" + page.Number(time.Value/bare)
			}
			cells := [4]page.Cell{
				cell(time, page.Milliseconds), {Value: float64(asked.said.wire), Unit: page.Bytes},
				{Value: float64(must(tokens.Count(asked.said.text))), Unit: page.Tokens}, {Value: float64(len(named)), Unit: page.Count},
			}
			for number, cell := range cells {
				cell.Short = at > 0 && question.whole && len(named) < question.items
				if asked.failed != "" {
					cell = page.Cell{Failed: page.Clean(asked.failed)}
				}
				if number < 2 || at > 0 {
					rows[number].Cells = append(rows[number].Cells, cell)
				}
			}
		}
		bare = 0
		for number := range rows {
			rows[number].What = question.what
			tables[number].Rows = append(tables[number].Rows, rows[number])
		}
	}
	results.Tables = append(results.Tables, tables[:]...)
}

// spread is the median of some numbers, with what nine of ten stay above, and below.
func spread(numbers []float64, factor float64) page.Cell {
	if len(numbers) == 0 {
		return page.Cell{}
	}
	sorted := slices.Sorted(slices.Values(numbers))
	at := func(part float64) float64 { return sorted[int(part*float64(len(sorted)-1)+0.5)] * factor }
	return page.Cell{Value: at(0.5), Low: at(0.1), High: at(0.9)}
}

func cell(cell page.Cell, unit page.Unit) page.Cell {
	cell.Unit = unit
	return cell
}

func (r *run) names() []string {
	var names []string
	for _, server := range r.servers {
		names = append(names, server.Name)
	}
	return names
}
