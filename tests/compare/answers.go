package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/tiktoken-go/tokenizer"

	"sandbar/tests/compare/page"
)

// question is what is asked of all: of the API server itself by a path, of each server by the tool that is nearest to it.
type question struct {
	what   string
	bare   string
	calls  []call // by server
	item   *regexp.Regexp
	items  int  // that there are
	whole  bool // whether only all of them are an answer
	rounds int
}

var (
	podName   = regexp.MustCompile(`web-7d9c5b8f6d-\d{5}`)
	line      = regexp.MustCompile(`line=\d{6}`)
	toolName  = regexp.MustCompile(`"name":"([a-z_]+)","?`)
	countable = must(tokenizer.Get(tokenizer.O200kBase))
)

const onePod = "web-7d9c5b8f6d-00000"

func aPod(namespace string) question {
	return question{
		what: "one pod", bare: "/api/v1/namespaces/" + namespace + "/pods/" + onePod,
		calls: []call{
			{tool: "get_resource", arguments: object{"kind": "pods", "namespace": namespace, "name": onePod}},
			{tool: "pods_get", arguments: object{"namespace": namespace, "name": onePod}},
			{tool: "kubectl_get", arguments: object{"resourceType": "pods", "namespace": namespace, "name": onePod}},
			{tool: "kubectl_get", arguments: object{"resource_type": "pods", "namespace": namespace, "name": onePod, "output": "yaml"}},
		},
		item: podName, items: 1, whole: true, rounds: 1,
	}
}

// list asks for a kind of a namespace. `more` are arguments of Sandbar's, which alone has pages.
func list(what, kind, namespace string, items int, more object, pages bool) question {
	path := fmt.Sprintf("/api/v1/namespaces/%s/%s", namespace, kind)
	ours := object{"kind": kind, "namespace": namespace}
	for name, value := range more {
		ours[name] = value
	}
	theirs := call{tool: "pods_list_in_namespace", arguments: object{"namespace": namespace}}
	if kind == "events" {
		theirs.tool = "events_list"
	}
	return question{
		what: what, bare: path,
		calls: []call{
			{tool: "list_resources", arguments: ours, pages: pages},
			theirs,
			{tool: "kubectl_get", arguments: object{"resourceType": kind, "namespace": namespace}},
			{tool: "kubectl_get", arguments: object{"resource_type": kind, "namespace": namespace}},
		},
		item: podName, items: items, whole: more != nil || items == 100, rounds: 1,
	}
}

func tail(what string, lines int) question {
	return question{
		what: what, bare: fmt.Sprintf("/api/v1/namespaces/logs/pods/loud/log?tailLines=%d", lines),
		calls: []call{
			{tool: "get_pod_logs", arguments: object{"namespace": "logs", "name": "loud", "tailLines": lines}},
			{tool: "pods_log", arguments: object{"namespace": "logs", "name": "loud", "tail": lines}},
			{tool: "kubectl_logs", arguments: object{"resourceType": "pod", "namespace": "logs", "name": "loud", "tail": lines}},
			{tool: "kubectl_logs", arguments: object{"namespace": "logs", "pod_name": "loud", "tail": lines}},
		},
		item: line, items: min(lines, logLines), whole: lines < logLines, rounds: 1,
	}
}

var (
	whole  = object{"limit": 1000}
	aLog   = tail("a 12 MB log, asked for whole", 200_000)
	eventz = list("3,000 events of a namespace", "events", "events", events, nil, false)
)

func (r *run) questions() []question {
	most := r.pods[len(r.pods)-1]
	namespace, pods := fmt.Sprintf("pods-%d", most), page.Number(float64(most))
	tools := question{what: "the list of tools", calls: make([]call, len(r.servers)), item: toolName}
	questions := []question{
		tools,
		aPod("pods-1"),
		list("100 pods of a namespace", "pods", "pods-100", 100, nil, false),
		list("1,000 pods of a namespace", "pods", "pods-1000", 1000, whole, false),
		list(pods+" pods of a namespace, the first answer", "pods", namespace, most, nil, false),
		list(pods+" pods of a namespace, all of them", "pods", namespace, most, whole, true),
		eventz,
		list("3,000 events of a namespace, all of them", "events", "events", events, whole, true),
		tail("the last 100 lines of a log", 100),
		aLog,
	}
	for index := range questions {
		questions[index].rounds = r.rounds
		if questions[index].items > 1000 {
			questions[index].rounds = (r.rounds + 2) / 3
		}
	}
	return questions
}

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
				{Value: float64(must(countable.Count(asked.said.text))), Unit: page.Tokens}, {Value: float64(len(named)), Unit: page.Count},
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
