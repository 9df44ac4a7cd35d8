//go:build !wasip1

package sandbar_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"sandbar"
	"sandbar/sandbartest"
)

const pods = `[
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "team-a", "labels": {"app": "web"}, "managedFields": []}, "spec": {"nodeName": "n"}},
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "b", "namespace": "team-a", "labels": {"app": "web"}}, "spec": {"nodeName": "m"}},
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "c", "namespace": "team-a", "labels": {"app": "db"}}, "spec": {"nodeName": "n"}},
	{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "d", "namespace": "team-b", "labels": {"app": "web"}}, "spec": {"nodeName": "n"}}
]`

type pod struct {
	Metadata struct {
		Name    string    `json:"name"`
		Created time.Time `json:"creationTimestamp"`
		Odd     string    `json:"example.com/odd"`
	} `json:"metadata"`
	Spec *struct {
		Containers []struct {
			Name string `json:"name"`
		} `json:"containers"`
		Selector map[string]string `json:"nodeSelector"`
	} `json:"spec"`
}

func names(t *testing.T, options sandbar.ListOptions) string {
	t.Helper()
	found := ""
	for each, err := range sandbar.All[pod]("pods", options) {
		if err != nil {
			t.Fatal(err)
		}
		found += each.Metadata.Name
	}
	return found
}

func codeOf(err error) string {
	var why *sandbar.HostError
	if !errors.As(err, &why) {
		return ""
	}
	return why.Code
}

func TestSelectorsScopesAndPagesChoose(t *testing.T) {
	sandbartest.New(t, nil).Add(pods)
	for labels, want := range map[string]string{
		"app=web": "ab", "app==web": "ab", "app!=web": "c", "app in (web, db),app!=db": "ab", "app notin (web)": "c", "app": "abc", "!app": "",
	} {
		if got := names(t, sandbar.ListOptions{Namespace: "team-a", Labels: labels, Limit: 1}); got != want {
			t.Errorf("%s: %q, want %q", labels, got, want)
		}
	}
	if got := names(t, sandbar.ListOptions{FieldSelector: "spec.nodeName=n,metadata.name!=a"}); got != "cd" {
		t.Error(got)
	}
	first, err := sandbar.List[sandbar.Object]("pods", sandbar.ListOptions{Limit: 3})
	if err != nil || first.Continue != "3" || *first.Remaining != 1 {
		t.Errorf("%+v, %v", first, err)
	}
}

func TestATypeSaysWhichFieldsAreRead(t *testing.T) {
	cluster := sandbartest.New(t, nil).Add(pods)
	got, err := sandbar.Get[sandbar.Object]("pods", "a", sandbar.GetOptions{Namespace: "team-a", Fields: []string{"metadata.name", `metadata.labels["app"]`}})
	want := sandbar.Object{"metadata": sandbar.Object{"name": "a", "labels": sandbar.Object{"app": "web"}}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	typed, err := sandbar.Get[pod]("pods", "a", sandbar.GetOptions{Namespace: "team-a"})
	if err != nil || typed.Metadata.Name != "a" || typed.Spec == nil || typed.Spec.Selector != nil {
		t.Errorf("%+v, %v", typed, err)
	}
	if strings.Join(cluster.Asked, ", ") != "get pods a, get pods a" {
		t.Error(cluster.Asked)
	}
}

func TestAListIsReadUpToANumberAndWhatIsMissingIsSaid(t *testing.T) {
	sandbartest.New(t, nil).Add(pods)
	for objects, want := range map[int]string{100: "", 4: "", 2: "only the first 2 objects were read, and there are more", 0: "only the first 1 objects were read, and there are more"} {
		page, err := sandbar.ListUpTo[pod]("pods", objects, sandbar.ListOptions{Limit: 3})
		if err != nil || strings.Join(page.Warnings, "") != want || (want == "") != (len(page.Items) == 4) {
			t.Errorf("%d: %+v, %v", objects, page, err)
		}
	}
}

func TestReadsSideBySideHaveTheirOwnAnswers(t *testing.T) {
	sandbartest.New(t, nil).Add(pods).Log("team-a", "a", "", "1\n2\n3\n").Fails("nodes", "denied", "no")
	lists, err := sandbar.ListMany[pod]([]sandbar.Query{{Resource: "pods"}, {Resource: "nodes"}, {Resource: "widgets.a"}})
	if err != nil || len(lists[0].Value.Items) != 4 || codeOf(lists[1].Err) != "denied" || codeOf(lists[2].Err) != "not-served" {
		t.Errorf("%+v, %v", lists, err)
	}
	logs, err := sandbar.TailMany([]sandbar.Log{{Pod: "a", Namespace: "team-a", LogOptions: sandbar.LogOptions{TailLines: 2}}, {Pod: "b", Namespace: "team-a"}})
	if err != nil || logs[0].Value.Text != "2\n3\n" || !*logs[0].Value.Older || codeOf(logs[1].Err) != "not-found" {
		t.Errorf("%+v, %v", logs, err)
	}
}

func TestAComponentReadsWithinItsRules(t *testing.T) {
	rule := sandbar.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}, ResourceNames: []string{"a"}}
	sandbartest.New(t, &sandbar.Component{Rules: []sandbar.PolicyRule{rule}}).Add(pods)
	for name, want := range map[string]string{"a": "", "b": "denied"} {
		if _, err := sandbar.Get[pod]("pods", name, sandbar.GetOptions{Namespace: "team-a"}); codeOf(err) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := sandbar.Table("pods", sandbar.ListOptions{}); codeOf(err) != "denied" {
		t.Error(err)
	}
}

func TestTheCallHasSettingsACallerAndProgress(t *testing.T) {
	cluster := sandbartest.New(t, nil).Setting("threshold", 5).Caller("ann", "admins")
	type settings struct {
		Threshold int    `json:"threshold,omitempty"`
		Unit      string `json:"unit" default:"pods"`
	}
	if got := sandbar.Settings[settings](); got != (settings{5, "pods"}) || sandbar.Setting("other", 3) != 3 || sandbar.Caller().Name != "ann" {
		t.Errorf("%+v", got)
	}
	sandbar.ProgressOf(1, 4, "team-a")
	sandbar.Progress(2, "")
	if strings.Join(cluster.Said, ", ") != "1/4 team-a, 2" {
		t.Error(cluster.Said)
	}
}

func TestAnErrorOfTheHostSaysHowLongToWaitAndWhatMayHelp(t *testing.T) {
	err := &sandbar.HostError{Message: "the API server asks to wait", Hint: "narrow it", RetryAfter: 1200 * time.Millisecond}
	if err.Error() != "the API server asks to wait; narrow it (try again in 2 s)" {
		t.Error(err)
	}
}
