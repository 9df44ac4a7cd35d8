package main

import (
	"testing"

	"sandbar"
	"sandbar/sandbartest"
)

// The tool over the objects of fixture.json, without a component: the cluster plays the host.
func cluster(t *testing.T) *sandbartest.Cluster {
	return sandbartest.New(t, component).Load("fixture.json")
}

func pods(t *testing.T, arguments Arguments) []string {
	t.Helper()
	page, err := restarts(arguments)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, item := range page.Items {
		names = append(names, item.Pod)
	}
	return names
}

func TestContainersThatWereRestartedOftenAreListed(t *testing.T) {
	var page sandbar.Page[Item]
	if err := cluster(t).Call("my_tool", Arguments{}, &page); err != nil {
		t.Fatal(err)
	}
	want := []Item{
		{Namespace: "team-a", Pod: "calm", Container: "app", Restarts: 4},
		{Namespace: "team-b", Pod: "wild", Container: "app", Restarts: 5},
	}
	if len(page.Items) != 2 || page.Items[0] != want[0] || page.Items[1] != want[1] {
		t.Errorf("got %v, want %v", page.Items, want)
	}
}

func TestTheOperatorSaysHowManyAreMany(t *testing.T) {
	cluster(t).Setting("threshold", 5)
	if names := pods(t, Arguments{}); len(names) != 1 || names[0] != "wild" {
		t.Errorf("got %v", names)
	}
}

func TestANamespaceNarrowsIt(t *testing.T) {
	cluster(t)
	if names := pods(t, Arguments{Namespace: "team-a"}); len(names) != 1 || names[0] != "calm" {
		t.Errorf("got %v", names)
	}
}

func TestWhatTheHostRefusesIsToldAsItIs(t *testing.T) {
	cluster(t).Fails("pods", "throttled", "the API server asks to wait")
	if _, err := restarts(Arguments{}); err == nil || err.Error() != "the API server asks to wait" {
		t.Errorf("got %v", err)
	}
}
