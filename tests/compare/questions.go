package main

import (
	"fmt"
	"regexp"

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

// What the items of answers are known by.
var (
	podName  = regexp.MustCompile(`web-7d9c5b8f6d-\d{5}`)
	line     = regexp.MustCompile(`line=\d{6}`)
	toolName = regexp.MustCompile(`"name":"([a-z_]+)","?`)
)

const onePod = "web-7d9c5b8f6d-00000"

// aPod asks for one whole object.
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

// tail asks for the newest lines of the log.
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

// What is asked for in more than one part of the measuring.
var (
	whole      = object{"limit": 1000}
	aLog       = tail("a 12 MB log, asked for whole", 200_000)
	someEvents = list("3,000 events of a namespace", "events", "events", events, nil, false)
)

// questions are those of the tables, in their order.
func (r *run) questions() []question {
	most := r.pods[len(r.pods)-1]
	namespace, pods := fmt.Sprintf("pods-%d", most), page.Number(float64(most))
	questions := []question{
		{what: "the list of tools", calls: make([]call, len(r.servers)), item: toolName},
		aPod("pods-1"),
		list("100 pods of a namespace", "pods", "pods-100", 100, nil, false),
		list("1,000 pods of a namespace", "pods", "pods-1000", 1000, whole, false),
		list(pods+" pods of a namespace, the first answer", "pods", namespace, most, nil, false),
		list(pods+" pods of a namespace, all of them", "pods", namespace, most, whole, true),
		someEvents,
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
