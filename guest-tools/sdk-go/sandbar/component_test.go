//go:build !wasip1

package sandbar_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"sandbar"
)

type words struct {
	Word string `json:"word" about:"What to measure."`
	Unit string `json:"unit" enum:"letters,bytes" default:"letters"`
	Most *int   `json:"most,omitempty" schema:"maximum=9"`
}

type measured struct {
	Length uint32         `json:"length"`
	At     time.Time      `json:"at,omitzero"`
	Parts  []part         `json:"parts"`
	More   map[string]any `json:"more,omitempty"`
	Else   map[string]int `json:"else"`
}

type part struct {
	_    struct{} `about:"A part of it."`
	Text *string  `json:"text"`
}

func made() *sandbar.Component {
	measure := func(asked words) (sandbar.Told[measured], error) {
		return sandbar.Told[measured]{Text: asked.Word + " in " + asked.Unit, Answer: measured{Length: uint32(len(asked.Word))}}, nil
	}
	greet := func(asked struct {
		Name string `json:"name" about:"Whom."`
	}) ([]sandbar.Message, error) {
		return []sandbar.Message{{Text: "Hello " + asked.Name}, {Text: "And?", Role: "assistant"}}, nil
	}
	about := func(variables map[string]string) (string, error) {
		if variables["name"] == "none" {
			return "", sandbar.ErrNoResource
		}
		return "about " + variables["name"], nil
	}
	return &sandbar.Component{
		ClusterRules: []sandbar.PolicyRule{{APIGroups: []string{""}, Resources: []string{"nodes"}, Verbs: []string{"get"}}},
		Tools:        []sandbar.Tool{sandbar.NewTool(sandbar.About{Name: "measure", Description: "Measures."}, measure)},
		Prompts:      []sandbar.Prompt{sandbar.NewPrompt(sandbar.About{Name: "greet", Description: "Greets."}, greet)},
		Resources: []sandbar.Resource{
			{URI: "words://of/{name}.md", Name: "of", Description: "One.", Read: about},
			{URI: "words://of/all.md", Name: "all", Description: "All.", MIMEType: "text/markdown", Read: func(map[string]string) (string, error) { return "all", nil }},
		},
	}
}

func TestTheManifestFollowsFromTheTypes(t *testing.T) {
	manifest, err := made().Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"inputSchema":{"type":"object","additionalProperties":false,"properties":{"word":{"type":"string","description":"What to measure."},` +
			`"unit":{"type":"string","enum":["letters","bytes"],"default":"letters"},"most":{"type":"integer","maximum":9}},"required":["word"]}`,
		`"outputSchema":{"type":"object","properties":{"length":{"type":"integer","minimum":0},"at":{"type":"string","format":"date-time"},` +
			`"parts":{"type":"array","items":{"description":"A part of it.","type":"object","properties":{"text":{"anyOf":[{"type":"string"},{"type":"null"}]}},` +
			`"required":["text"]}},"more":{"type":"object"},"else":{"type":"object","additionalProperties":{"type":"integer"}}},"required":["length","parts","else"]}`,
		`"prompts":[{"name":"greet","description":"Greets.","arguments":[{"name":"name","description":"Whom.","required":true}]}]`,
		`"uriTemplate":"words://of/{name}.md"`,
		`"clusterRules":[{"apiGroups":[""],"resources":["nodes"],"verbs":["get"]}]`,
	} {
		if !strings.Contains(string(manifest), want) {
			t.Errorf("%s\nis not in\n%s", want, manifest)
		}
	}
	if !json.Valid(manifest) || strings.Contains(string(manifest), `"settings"`) {
		t.Errorf("%s", manifest)
	}
}

func TestToolsPromptsAndResourcesAnswerInMCPsForms(t *testing.T) {
	component := made()
	for want, run := range map[string]func() ([]byte, error){
		`{"content":[{"type":"text","text":"sand in letters"}],"structuredContent":{"length":4,"parts":[],"else":{}}}`: func() ([]byte, error) {
			return component.Call("measure", `{"word":"sand","most":null}`)
		},
		`{"messages":[{"role":"user","content":{"type":"text","text":"Hello Ann"}},{"role":"assistant","content":{"type":"text","text":"And?"}}]}`: func() ([]byte, error) {
			return component.Get("greet", `{"name":"Ann"}`)
		},
		`{"contents":[{"uri":"words://of/b%20r.md","mimeType":"text/plain","text":"about b r"}]}`: func() ([]byte, error) {
			return component.Read("words://of/b%20r.md")
		},
		`{"contents":[{"uri":"words://of/all.md","mimeType":"text/markdown","text":"all"}]}`: func() ([]byte, error) {
			return component.Read("words://of/all.md")
		},
		`{"contents":[]}`: func() ([]byte, error) { return component.Read("words://of/none.md") },
	} {
		if got, err := run(); err != nil || string(got) != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestWhatCannotRunSaysWhy(t *testing.T) {
	component := made()
	for want, run := range map[string]func() ([]byte, error){
		"this component has no tool `weigh`":                       func() ([]byte, error) { return component.Call("weigh", "{}") },
		"the arguments of measure are wrong: `word` is required":   func() ([]byte, error) { return component.Call("measure", "{}") },
		"the arguments of measure are wrong: `other` is not known": func() ([]byte, error) { return component.Call("measure", `{"word":"","other":1}`) },
		"this component has no prompt `measure`":                   func() ([]byte, error) { return component.Get("measure", "{}") },
		"this component has no resource `words://else`":            func() ([]byte, error) { return component.Read("words://else") },
		"this component has no resource `words://of/a/b.md`":       func() ([]byte, error) { return component.Read("words://of/a/b.md") },
	} {
		if got, err := run(); err == nil || err.Error() != want {
			t.Errorf("got %s, %v; want %s", got, err, want)
		}
	}
}

func TestAFunctionThatCannotBeAToolIsRefusedWhereItIsDeclared(t *testing.T) {
	about := sandbar.About{Name: "a", Description: "A."}
	type endless struct{ Inner []endless }
	for want, declare := range map[string]func(){
		"a tool answers a struct": func() {
			sandbar.NewTool(about, func(struct{}) ([]string, error) { return nil, nil })
		},
		"have to be a struct":      func() { sandbar.NewTool(about, func(string) (string, error) { return "", nil }) },
		"has itself inside":        func() { sandbar.NewTool(about, func(struct{}) (endless, error) { return endless{}, nil }) },
		"has no JSON Schema":       func() { sandbar.NewTool(about, func(struct{ F func() }) (string, error) { return "", nil }) },
		"which is no text":         func() { sandbar.NewPrompt(about, func(struct{ N int }) ([]sandbar.Message, error) { return nil, nil }) },
		"a Name and a Description": func() { sandbar.NewTool(sandbar.About{}, func(struct{}) (string, error) { return "", nil }) },
	} {
		func() {
			defer func() {
				if err, is := recover().(error); !is || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v; want %s", err, want)
				}
			}()
			declare()
		}()
	}
}
