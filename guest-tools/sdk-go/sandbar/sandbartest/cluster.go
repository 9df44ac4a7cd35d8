//go:build !wasip1

// Package sandbartest is a cluster for tests, made of objects, so that a tool is tested without a component, a host or a cluster.
//
// Like the real host it hands over only what the rules of the component ask for, and only the fields that were asked for. It does not mask secrets, and
// has no limits but the pages.
package sandbartest

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sandbar"
	"sandbar/internal/host"
)

const (
	pageDefault = 200
	pageMax     = 1000
	tailLines   = 2000
)

// Kinds whose plural in lower case is not their name and an `s`.
var plurals = map[string]string{"Endpoints": "endpoints", "EndpointSlice": "endpointslices"}

// Cluster answers from its objects, and is what an operator and a caller are.
type Cluster struct {
	// What was read, in words: `list pods`, `get deployments.apps web`, `log team-a/web-0`.
	Asked []string
	// Reports of progress.
	Said []string
	// What the API server says of itself.
	Health sandbar.Health

	test      testing.TB
	component *sandbar.Component
	objects   map[string][]sandbar.Object
	kinds     []sandbar.Kind
	logs      map[logKey]string
	errors    map[string]error
	settings  map[string]string
	caller    *sandbar.User
	now       time.Time
}

type logKey struct {
	namespace, pod, container string
	previous                  bool
}

// New makes a cluster that answers this component until the test is over; without a component it answers all of the contract. Only one answers at a
// time, so tests of a tool do not run in parallel.
func New(test testing.TB, component *sandbar.Component) *Cluster {
	cluster := &Cluster{
		Health: sandbar.Health{GitVersion: "v1.37.2", Platform: "linux/amd64", Ready: true},
		test:   test, component: component, objects: map[string][]sandbar.Object{}, logs: map[logKey]string{}, errors: map[string]error{},
		settings: map[string]string{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	if before := host.Install(playing{cluster}); before != nil {
		test.Fatal("the cluster of another test still answers: tests of a tool cannot run in parallel")
	}
	test.Cleanup(func() { host.Install(nil) })
	return cluster
}

// Add adds objects in JSON, as the API has them; a list is what is in it. The plural of a kind is in the CustomResourceDefinition, if one was added
// before, else what Kubernetes would call it.
func (cluster *Cluster) Add(text string) *Cluster {
	cluster.test.Helper()
	var read any
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		cluster.test.Fatalf("no objects in JSON: %v", err)
	}
	cluster.addAll(read)
	return cluster
}

// Load adds the objects of a file in JSON: one, a list of them, or what `kubectl get -o json` writes.
func (cluster *Cluster) Load(file string) *Cluster {
	cluster.test.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		cluster.test.Fatal(err)
	}
	return cluster.Add(string(text))
}

// Log adds the log of a container; "" is the one of a pod with one container only.
func (cluster *Cluster) Log(namespace, pod, container, text string) *Cluster {
	cluster.logs[logKey{namespace, pod, container, false}] = text
	return cluster
}

// PreviousLog adds the log of a container's run before its last restart.
func (cluster *Cluster) PreviousLog(namespace, pod, container, text string) *Cluster {
	cluster.logs[logKey{namespace, pod, container, true}] = text
	return cluster
}

// Fails has reads of this resource, `pods` or `deployments.apps`, fail with this code and message.
func (cluster *Cluster) Fails(resource, code, message string) *Cluster {
	cluster.errors[resource] = &sandbar.HostError{Code: code, Message: message}
	return cluster
}

// Setting sets an option as an operator does.
func (cluster *Cluster) Setting(key string, value any) *Cluster {
	cluster.settings[key] = inJSON(cluster.test, value)
	return cluster
}

// Caller says who calls; nobody that is known, if a test does not.
func (cluster *Cluster) Caller(name string, groups ...string) *Cluster {
	cluster.caller = &sandbar.User{Name: name, Groups: groups}
	return cluster
}

// At says what time it is; the beginning of 2026, if a test does not.
func (cluster *Cluster) At(now time.Time) *Cluster {
	cluster.now = now
	return cluster
}

// Call calls a tool as the host does, with arguments that become JSON, and reads its structured answer, or its text if it has no other, into what
// `answer` points to.
func (cluster *Cluster) Call(tool string, arguments, answer any) error {
	cluster.test.Helper()
	if arguments == nil {
		arguments = sandbar.Object{}
	}
	text, err := cluster.component.Call(tool, inJSON(cluster.test, arguments))
	if err != nil {
		return err
	}
	var result struct {
		StructuredContent json.RawMessage
		Content           []struct{ Text string }
	}
	read(cluster.test, text, &result)
	if result.StructuredContent == nil {
		result.StructuredContent = json.RawMessage(inJSON(cluster.test, result.Content[0].Text))
	}
	read(cluster.test, result.StructuredContent, answer)
	return nil
}

func inJSON(test testing.TB, value any) string {
	test.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		test.Fatal(err)
	}
	return string(text)
}

func read(test testing.TB, text []byte, into any) {
	test.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		test.Fatalf("the answer is no %T: %v", into, err)
	}
}

func (cluster *Cluster) addAll(read any) {
	cluster.test.Helper()
	switch read := read.(type) {
	case []any:
		for _, each := range read {
			cluster.addAll(each)
		}
	case sandbar.Object:
		if items, is := read["items"].([]any); is && strings.HasSuffix(fmt.Sprint(read["kind"]), "List") {
			cluster.addAll(items)
			return
		}
		cluster.add(read)
	}
}

func (cluster *Cluster) add(object sandbar.Object) {
	cluster.test.Helper()
	for _, key := range []string{"apiVersion", "kind", "metadata"} {
		if object[key] == nil {
			cluster.test.Fatalf("an object without %s: %.200s", key, inJSON(cluster.test, object))
		}
	}
	if object["kind"] == "CustomResourceDefinition" {
		cluster.define(object)
	}
	resource := cluster.kindOf(object).Resource
	cluster.objects[resource] = append(cluster.objects[resource], object)
}

func (cluster *Cluster) define(object sandbar.Object) {
	var definition struct {
		Spec struct {
			Group, Scope string
			Names        struct {
				Plural, Kind string
				ShortNames   []string
			}
			Versions []struct{ Name string }
		}
	}
	read(cluster.test, []byte(inJSON(cluster.test, object)), &definition)
	spec := definition.Spec
	cluster.kinds = append(cluster.kinds, sandbar.Kind{
		Resource: spec.Names.Plural + "." + spec.Group, Version: spec.Versions[len(spec.Versions)-1].Name, Name: spec.Names.Kind,
		ShortNames: spec.Names.ShortNames, Namespaced: spec.Scope == "Namespaced", Verbs: []string{"get", "list"},
	})
}

// The kind of an object; one that is new is served from now on.
func (cluster *Cluster) kindOf(object sandbar.Object) sandbar.Kind {
	group, version, isGroup := strings.Cut(fmt.Sprint(object["apiVersion"]), "/")
	if !isGroup {
		group, version = "", group
	}
	name := fmt.Sprint(object["kind"])
	for _, kind := range cluster.kinds {
		if kind.Name == name && host.Named(kind.Resource).Group == group {
			return kind
		}
	}
	plural, is := plurals[name]
	if !is {
		plural = pluralOf(strings.ToLower(name))
	}
	kind := sandbar.Kind{
		Resource: host.Resource{Group: group, Plural: plural}.String(), Version: version, Name: name, Namespaced: metadata(object, "namespace") != "",
		Verbs: []string{"get", "list"},
	}
	cluster.kinds = append(cluster.kinds, kind)
	return kind
}

func pluralOf(name string) string {
	stem, isY := strings.CutSuffix(name, "y")
	switch {
	case isY && !strings.ContainsAny(stem[len(stem)-1:], "aeiou"):
		return stem + "ies"
	case strings.HasSuffix(name, "s"), strings.HasSuffix(name, "x"), strings.HasSuffix(name, "ch"):
		return name + "es"
	}
	return name + "s"
}

// The host that a cluster plays.
type playing struct{ *Cluster }

func (cluster playing) GetObject(asked host.Object) (string, error) {
	cluster.Asked = append(cluster.Asked, fmt.Sprintf("get %v %s", asked.Of, asked.Name))
	objects, err := cluster.readable(asked.Of, "get", asked.Within, asked.Name)
	if err != nil {
		return "", err
	}
	for _, object := range objects {
		if metadata(object, "name") == asked.Name {
			return inJSON(cluster.test, picked(object, asked.Fields)), nil
		}
	}
	return "", refusal("not-found", "%v %q not found", asked.Of, asked.Name)
}

func (cluster playing) ListObjects(query host.Query) (host.Items, error) {
	objects, items, err := cluster.listed(query)
	all := make([]any, len(objects))
	for i, object := range objects {
		all[i] = picked(object, query.Fields)
	}
	items.Items = inJSON(cluster.test, all)
	return items, err
}

func (cluster playing) ListTable(query host.Query) ([]host.Column, host.Items, error) {
	objects, items, err := cluster.listed(query)
	fields := query.Fields
	if fields == nil {
		fields = []string{"metadata.name", "metadata.namespace"}
	}
	rows := make([]any, len(objects))
	for i, object := range objects {
		row := picked(object, fields)
		row["cells"] = sandbar.Object{"Name": metadata(object, "name")}
		rows[i] = row
	}
	items.Items = inJSON(cluster.test, rows)
	return []host.Column{{Name: "Name"}}, items, err
}

func (cluster playing) Tail(source host.Source) (host.Excerpt, error) {
	cluster.Asked = append(cluster.Asked, fmt.Sprintf("log %s/%s", source.Namespace, source.Pod))
	if err := cluster.checkRules(host.Resource{Plural: "pods/log"}, "get", source.Pod, false); err != nil {
		return host.Excerpt{}, err
	}
	text, is := cluster.logs[logKey{source.Namespace, source.Pod, source.Container, source.Previous}]
	if !is {
		text, is = cluster.logs[logKey{source.Namespace, source.Pod, "", source.Previous}]
	}
	if !is {
		return host.Excerpt{}, refusal("not-found", "there is no such log of the pod %s/%s", source.Namespace, source.Pod)
	}
	matching, err := regexp.Compile(source.Matching)
	if err != nil {
		return host.Excerpt{}, refusal("invalid", "matching: %v", err)
	}
	lines := slices.Collect(strings.Lines(text))
	most := int(source.TailLines)
	if most == 0 {
		most = tailLines
	}
	older := len(lines) > most
	lines = slices.DeleteFunc(lines[max(0, len(lines)-most):], func(line string) bool { return !matching.MatchString(line) })
	return host.Excerpt{Text: strings.Join(lines, ""), Older: &older}, nil
}

func (cluster playing) ServedKinds() ([]host.Kind, error) {
	key := func(kind host.Kind) string {
		plural, group, _ := strings.Cut(kind.Resource, ".")
		return group + "/" + plural
	}
	return slices.SortedFunc(slices.Values(cluster.kinds), func(one, other host.Kind) int {
		return strings.Compare(key(one), key(other))
	}), nil
}

func (cluster playing) APIServer() (string, error) { return inJSON(cluster.test, cluster.Health), nil }

func (cluster playing) WhoCalls() *host.User { return cluster.caller }

func (cluster playing) Setting(key string) (string, bool) {
	value, is := cluster.settings[key]
	return value, is
}

func (cluster playing) NowMs() float64 { return float64(cluster.now.UnixMilli()) }

func (cluster playing) RemainingMs() uint32 { return 1<<32 - 1 }

func (cluster playing) Progress(done float64, total *float64, message string) {
	said := fmt.Sprint(done)
	if total != nil {
		said += fmt.Sprint("/", *total)
	}
	cluster.Said = append(cluster.Said, strings.TrimSpace(said+" "+message))
}

// The objects of a page, and what is said about it.
func (cluster playing) listed(query host.Query) ([]sandbar.Object, host.Items, error) {
	cluster.Asked = append(cluster.Asked, fmt.Sprintf("list %v", query.Of))
	if query.Of.String() == "events" && query.Within.Kind == host.EveryNamespace {
		return nil, host.Items{}, refusal("invalid", "events have to be listed in one namespace")
	}
	objects, err := cluster.readable(query.Of, "list", query.Within, "")
	if err != nil {
		return nil, host.Items{}, err
	}
	objects = slices.DeleteFunc(slices.Clone(objects), func(object sandbar.Object) bool {
		return !hasLabels(object, query.Labels) || !hasFields(object, query.FieldSelector)
	})
	begin := 0
	if query.Continue != "" {
		if begin, err = strconv.Atoi(query.Continue); err != nil {
			return nil, host.Items{}, refusal("invalid", "`continue` is not a cursor of this server; start the list again without it")
		}
	}
	limit := int(query.Limit)
	if limit == 0 {
		limit = pageDefault
	}
	begin = min(begin, len(objects))
	end := min(begin+min(limit, pageMax), len(objects))
	items := host.Items{}
	if left := uint32(len(objects) - end); left > 0 {
		items.Continue, items.Remaining = strconv.Itoa(end), &left
	}
	return objects[begin:end], items, nil
}

func (cluster playing) readable(of host.Resource, verb string, within host.Scope, name string) ([]sandbar.Object, error) {
	if err := cluster.checkRules(of, verb, name, within.Kind == host.Cluster); err != nil {
		return nil, err
	}
	resource := of.String()
	if err, fails := cluster.errors[resource]; fails {
		return nil, err
	}
	if !slices.ContainsFunc(cluster.kinds, func(kind sandbar.Kind) bool { return kind.Resource == resource }) {
		return nil, refusal("not-served", "the cluster serves no %s: the test has added no object of it", resource)
	}
	var found []sandbar.Object
	for _, object := range cluster.objects[resource] {
		namespace := metadata(object, "namespace")
		if within.Kind == host.EveryNamespace || within.Namespace == namespace {
			found = append(found, object)
		}
	}
	return found, nil
}

func (cluster playing) checkRules(of host.Resource, verb, name string, isCluster bool) error {
	if cluster.component == nil {
		return nil
	}
	rules, which := cluster.component.Rules, "Rules"
	if isCluster {
		rules, which = cluster.component.ClusterRules, "ClusterRules"
	}
	allows := func(rule sandbar.PolicyRule) bool {
		return (slices.Contains(rule.APIGroups, of.Group) || slices.Contains(rule.APIGroups, "*")) &&
			(slices.Contains(rule.Resources, of.Plural) || slices.Contains(rule.Resources, "*") && of.Plural != "pods/log") &&
			slices.Contains(rule.Verbs, verb) && (len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, name))
	}
	if slices.ContainsFunc(rules, allows) {
		return nil
	}
	return refusal("denied", "the component does not ask to %s %s: it has to have a rule for it among its %s, APIGroups %q, Resources %q, Verbs %q",
		verb, of.Plural, which, of.Group, of.Plural, verb)
}

func refusal(code, format string, values ...any) error {
	return &sandbar.HostError{Code: code, Message: fmt.Sprintf(format, values...)}
}
