// A tool that uses every function of the package, and fails in every way. What it answers is the same in Python and JavaScript.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"sandbar"
)

var count = 0

type Node struct{ Name string }

func deeper(node *Node) string {
	return node.Name
}

type Arguments struct {
	Which string `json:"which" enum:"reads,many,context,meant,fault,cause,denied,long,goroutines"`
}

type Settings struct {
	Greeting string `json:"greeting,omitempty"`
}

type Named struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
}

type Answer = map[string]any

var component = sandbar.Serve(sandbar.Component{
	Rules:    []sandbar.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods", "pods/log"}, Verbs: []string{"get", "list"}}},
	Settings: Settings{},
	Tools:    []sandbar.Tool{sandbar.NewTool(sandbar.About{Name: "everything", Description: "Does one thing."}, everything)},
})

const (
	pod       = "coder-6d5f8b7c9-cwtch"
	namespace = "team-a"
)

func everything(arguments Arguments) (Answer, error) {
	switch arguments.Which {
	case "reads":
		return reads()
	case "many":
		return many()
	case "context":
		count++
		slog.Warn("a line of the tool")
		sandbar.ProgressOf(1, 2, "half")
		return Answer{
			"now":       sandbar.Now().Format("2006-01-02T15:04:05"),
			"set":       sandbar.Settings[Settings]().Greeting,
			"unset":     sandbar.Setting("other", "default"),
			"remaining": sandbar.Remaining() > 0,
			"calls":     count,
		}, nil
	case "meant":
		return nil, errors.New("there is no such word; say another")
	case "fault":
		return Answer{"node": deeper(nil)}, nil
	case "cause":
		_, err := sandbar.Get[sandbar.Object]("pods", "none", sandbar.GetOptions{Namespace: namespace})
		panic(fmt.Errorf("it was there: %w", err))
	case "denied":
		_, err := sandbar.List[sandbar.Object]("secrets", sandbar.ListOptions{})
		return nil, err
	case "long":
		panic(strings.Repeat("x", 1000))
	case "goroutines":
		return goroutines(), nil
	}
	return nil, nil
}

func reads() (Answer, error) {
	table, err := sandbar.Table("pods", sandbar.ListOptions{Namespace: namespace, Limit: 1})
	if err != nil {
		return nil, err
	}
	names := 0
	for _, err := range sandbar.All[Named]("pods", sandbar.ListOptions{Limit: 5}) {
		if err != nil {
			return nil, err
		}
		names++
	}
	log, err := sandbar.Tail(pod, namespace, sandbar.LogOptions{TailLines: 1})
	if err != nil {
		return nil, err
	}
	got, err := sandbar.Get[Named]("pods", pod, sandbar.GetOptions{Namespace: namespace})
	if err != nil {
		return nil, err
	}
	kinds, err := sandbar.Kinds()
	if err != nil {
		return nil, err
	}
	health, err := sandbar.APIServer()
	if err != nil {
		return nil, err
	}
	resources := []string{}
	for _, kind := range kinds {
		resources = append(resources, kind.Resource)
	}
	return Answer{
		"get": got, "all": names > 10, "column": table.Columns[0].Name, "cell": table.Items[0].Cells["Name"], "lines": lines(log.Text),
		"older": log.Older, "kinds": resources, "ready": health.Ready,
	}, nil
}

func many() (Answer, error) {
	here := sandbar.GetOptions{Namespace: namespace}
	objects, err := sandbar.GetMany[Named]([]sandbar.Asked{{Resource: "pods", Name: pod, GetOptions: here}, {Resource: "pods", Name: "none", GetOptions: here}})
	if err != nil {
		return nil, err
	}
	one := sandbar.ListOptions{Namespace: namespace, Limit: 1}
	lists, err := sandbar.ListMany[Named]([]sandbar.Query{{Resource: "pods", ListOptions: one}, {Resource: "secrets"}})
	if err != nil {
		return nil, err
	}
	last := sandbar.LogOptions{TailLines: 1}
	logs, err := sandbar.TailMany([]sandbar.Log{{Pod: pod, Namespace: namespace, LogOptions: last}, {Pod: "none", Namespace: namespace}})
	if err != nil {
		return nil, err
	}
	return Answer{
		"get":  []any{objects[0].Value, code(objects[1].Err)},
		"list": []any{len(lists[0].Value.Items), code(lists[1].Err)},
		"log":  []any{lines(logs[0].Value.Text), code(logs[1].Err)},
	}, nil
}

// What the collection of garbage brings about happens while the host answers, too.
var garbage [64][]byte

func goroutines() Answer {
	var all sync.WaitGroup
	read := make([]int, 20)
	for i := range read {
		all.Go(func() {
			for page, err := range sandbar.Pages[sandbar.Object]("pods", sandbar.ListOptions{Limit: 20}) {
				if err != nil {
					panic(err)
				}
				read[i] += len(page.Items)
				garbage[(i+read[i])%len(garbage)] = make([]byte, 300<<10)
			}
		})
	}
	all.Wait()
	return Answer{"same": slices.Min(read) == slices.Max(read), "many": read[0] > 20}
}

func code(err error) string {
	var why *sandbar.HostError
	if !errors.As(err, &why) {
		return ""
	}
	return why.Code
}

func lines(text string) int { return strings.Count(text, "\n") }

func main() {}
