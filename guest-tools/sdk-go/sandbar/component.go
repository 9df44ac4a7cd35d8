// Package sandbar is what a tool for Sandbar, an MCP server for Kubernetes, is written with: a function, its types, and a few words for the model.
package sandbar

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// PolicyRule is a Kubernetes RBAC PolicyRule: what a component asks to read. The operator decides what it gets. Logs are `pods/log` with `get`.
type PolicyRule struct {
	APIGroups     []string `json:"apiGroups"`
	Resources     []string `json:"resources"`
	Verbs         []string `json:"verbs"`
	ResourceNames []string `json:"resourceNames,omitempty"`
}

// Component is what is served, and what it asks for.
type Component struct {
	// What it asks to read of namespaced and of cluster-scoped resources.
	Rules, ClusterRules []PolicyRule
	// A struct of the options that an operator may set: `Settings{}`.
	Settings  any
	Tools     []Tool
	Prompts   []Prompt
	Resources []Resource
}

// About is what is said of a tool or a prompt. The description is what a model chooses by: what is answered, when to use it, how to narrow it.
type About struct {
	Name, Title, Description string
}

// Tool is a function that is served: NewTool makes one.
type Tool struct {
	About
	input, output members
	run           func(arguments string) (members, error)
}

// Prompt is a text that a user chooses in their client: NewPrompt makes one.
type Prompt struct {
	About
	arguments []promptArgument
	run       func(arguments string) ([]Message, error)
}

// Message is one of a prompt.
type Message struct {
	Text string
	// `user` if absent, or `assistant`.
	Role string
}

type promptArgument struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitempty"`
}

// Resource is what is read by its URI, `sandbar://NAME/...`, or by URIs that fit a template, `runbooks://of/{name}`.
type Resource struct {
	URI, Name, Title, Description string
	// `text/plain` if absent.
	MIMEType string
	// Read has what stands in the URI for the variables of the template. ErrNoResource: there is no such document.
	Read func(variables map[string]string) (string, error)
}

// ErrNoResource is what a resource's Read returns where its URI fits, and there is no such document.
var ErrNoResource = errors.New("there is no such resource")

// Told is an answer in both of MCP's forms: a text for the model, in the place of the JSON, and a structure, which the output schema describes.
//
// A client shows its model one of the two, and which one is not ours to choose: each has to say all that matters.
type Told[T any] struct {
	Text   string
	Answer T
}

func (told Told[T]) both() (string, any)   { return told.Text, told.Answer }
func (told Told[T]) answers() reflect.Type { return reflect.TypeFor[T]() }

type bothForms interface {
	both() (string, any)
	answers() reflect.Type
}

// The same for every tool: the contract lets a component read only, and what it reads is other people's words.
var annotations = members{{"readOnlyHint", true}, {"openWorldHint", true}}

// NewTool makes a tool of a function. Its arguments are a struct, and its answer is a struct, a map, a Page, a text, or Told, which is a text beside one
// of these; the schemas follow from them. An error is read by the model.
func NewTool[Arguments, Answer any](about About, run func(Arguments) (Answer, error)) Tool {
	check(about, "tool")
	answer := reflect.TypeFor[Answer]()
	if both, is := any(*new(Answer)).(bothForms); is {
		answer = both.answers()
	}
	tool := Tool{About: about, input: schemaOfArguments(structOf[Arguments](about.Name))}
	switch answer.Kind() {
	case reflect.String:
	case reflect.Struct, reflect.Map:
		tool.output = schemaOfAnswer(answer)
	default:
		panic(fmt.Errorf("the tool %s answers %v: a tool answers a struct, a map, a Page or a text", about.Name, answer))
	}
	tool.run = func(given string) (members, error) {
		read, err := arguments[Arguments](about.Name, given)
		if err != nil {
			return nil, err
		}
		answer, err := run(read)
		if err != nil {
			return nil, err
		}
		return resultOf(answer)
	}
	return tool
}

// NewPrompt makes a prompt of a function. Its arguments are a struct of texts.
func NewPrompt[Arguments any](about About, run func(Arguments) ([]Message, error)) Prompt {
	check(about, "prompt")
	prompt := Prompt{About: about}
	for _, each := range fieldsOf(structOf[Arguments](about.Name)) {
		if each.typ.Kind() != reflect.String {
			panic(fmt.Errorf("the prompt %s takes `%s`, which is no text", about.Name, each.name))
		}
		prompt.arguments = append(prompt.arguments, promptArgument{each.name, each.tag.Get("about"), !each.optional})
	}
	prompt.run = func(given string) ([]Message, error) {
		read, err := arguments[Arguments](about.Name, given)
		if err != nil {
			return nil, err
		}
		return run(read)
	}
	return prompt
}

func check(about About, what string) {
	if about.Name == "" || about.Description == "" {
		panic(fmt.Errorf("a %s has a Name and a Description, and this one has %q and %q", what, about.Name, about.Description))
	}
}

func structOf[Arguments any](of string) reflect.Type {
	typ := reflect.TypeFor[Arguments]()
	if typ.Kind() != reflect.Struct {
		panic(fmt.Errorf("the arguments of %s are %v, and have to be a struct", of, typ))
	}
	return typ
}

// Manifest is what the host and the model read about the component, in JSON.
func (component *Component) Manifest() ([]byte, error) {
	var tools, prompts, resources, templates []members
	for _, tool := range component.Tools {
		tools = append(tools, tool.members().with("inputSchema", tool.input).with("outputSchema", tool.output).with("annotations", annotations))
	}
	for _, prompt := range component.Prompts {
		prompts = append(prompts, prompt.members().with("arguments", prompt.arguments))
	}
	for _, each := range component.Resources {
		about := members{{"name", each.Name}}.with("title", each.Title).with("description", each.Description).with("mimeType", each.mimeType())
		if each.isTemplate() {
			templates = append(templates, about.with("uriTemplate", each.URI))
		} else {
			resources = append(resources, about.with("uri", each.URI))
		}
	}
	if tools == nil {
		tools = []members{}
	}
	manifest := members{{"tools", tools}}.with("prompts", prompts).with("resources", resources).with("resourceTemplates", templates)
	manifest = manifest.with("rules", component.Rules).with("clusterRules", component.ClusterRules)
	if component.Settings != nil {
		manifest = manifest.with("settings", schemaOfArguments(reflect.TypeOf(component.Settings)))
	}
	return json.Marshal(manifest)
}

// Call runs a tool on arguments in JSON, as the host does. It answers the result of an MCP `tools/call` in JSON.
func (component *Component) Call(name, arguments string) ([]byte, error) {
	for _, tool := range component.Tools {
		if tool.Name == name {
			result, err := tool.run(arguments)
			if err != nil {
				return nil, err
			}
			return json.Marshal(result)
		}
	}
	return nil, fmt.Errorf("this component has no tool `%s`", name)
}

// Get fills in a prompt, as the host does. It answers the result of an MCP `prompts/get` in JSON.
func (component *Component) Get(name, arguments string) ([]byte, error) {
	for _, prompt := range component.Prompts {
		if prompt.Name != name {
			continue
		}
		messages, err := prompt.run(arguments)
		if err != nil {
			return nil, err
		}
		all := mapped(messages, func(message Message) members {
			return members{{"role", cmp.Or(message.Role, "user")}, {"content", content(message.Text)}}
		})
		return json.Marshal(members{{"messages", all}})
	}
	return nil, fmt.Errorf("this component has no prompt `%s`", name)
}

// Read reads a resource, as the host does. It answers the result of an MCP `resources/read` in JSON.
func (component *Component) Read(uri string) ([]byte, error) {
	// A document of its own goes before what a template makes of its URI.
	sorted := slices.SortedStableFunc(slices.Values(component.Resources), func(one, other Resource) int {
		return strings.Count(one.URI, "{") - strings.Count(other.URI, "{")
	})
	for _, each := range sorted {
		variables, fits := each.variables(uri)
		if !fits {
			continue
		}
		text, err := each.Read(variables)
		contents := []members{{{"uri", uri}, {"mimeType", each.mimeType()}, {"text", text}}}
		switch {
		case errors.Is(err, ErrNoResource):
			contents = []members{}
		case err != nil:
			return nil, err
		}
		return json.Marshal(members{{"contents", contents}})
	}
	return nil, fmt.Errorf("this component has no resource `%s`", uri)
}

// Check fails where two things have one name.
func (component *Component) check() {
	seen := map[string]bool{}
	once := func(what, name string) {
		if seen[what+name] {
			panic(fmt.Errorf("there are two of the %s %s", what, name))
		}
		seen[what+name] = true
	}
	for _, each := range component.Tools {
		once("tool", each.Name)
	}
	for _, each := range component.Prompts {
		once("prompt", each.Name)
	}
	for _, each := range component.Resources {
		once("resource", each.URI)
	}
}

func (about About) members() members {
	return members{{"name", about.Name}}.with("title", about.Title).with("description", about.Description)
}

func (resource Resource) mimeType() string { return cmp.Or(resource.MIMEType, "text/plain") }

func (resource Resource) isTemplate() bool { return strings.Contains(resource.URI, "{") }

// What stands in a URI for the variables of the template, which are whole segments or parts of them.
func (resource Resource) variables(uri string) (map[string]string, bool) {
	variables, template := map[string]string{}, resource.URI
	for {
		before, rest, has := strings.Cut(template, "{")
		var fits bool
		if uri, fits = strings.CutPrefix(uri, before); !fits {
			return nil, false
		}
		if !has {
			return variables, uri == ""
		}
		name, behind, _ := strings.Cut(rest, "}")
		// At most one variable is in a segment: it goes to what is behind it there.
		end, _, _ := strings.Cut(behind, "/")
		end, _, _ = strings.Cut(end, "{")
		segment, _, _ := strings.Cut(uri, "/")
		value, fits := strings.CutSuffix(segment, end)
		if !fits || value == "" {
			return nil, false
		}
		unescaped, err := url.PathUnescape(value)
		if err != nil {
			return nil, false
		}
		variables[name], uri, template = unescaped, uri[len(value):], behind
	}
}

func resultOf(answer any) (members, error) {
	if text, is := answer.(string); is {
		return members{{"content", []members{content(text)}}}, nil
	}
	result := members{}
	if both, is := answer.(bothForms); is {
		var text string
		text, answer = both.both()
		result = members{{"content", []members{content(text)}}}
	}
	structured, err := written(answer)
	if err != nil {
		panic(fmt.Errorf("the answer cannot be written as JSON: %w", err))
	}
	return append(result, member{"structuredContent", json.RawMessage(structured)}), nil
}

func content(text string) members { return members{{"type", "text"}, {"text", text}} }
