package sandbar

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"

	"sandbar/internal/host"
)

// A resource is named as kubectl has it: `pods`, `deployments.apps`, `deployments.v1.apps`.
//
// What is read becomes values of a type of the author. A struct says which fields are read, by its json tags, and the host hands over no others. An
// Object is all of it, but for what `Fields` leave out.

// Object is an object of the cluster, as its API has it.
type Object = map[string]any

// Metadata is what an object is called, and where it is: "" if it is cluster-scoped.
type Metadata struct {
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

// Objects on a page, where the operator does not set less.
const pageMax = 1000

// GetOptions say where an object is, and what to read of it.
type GetOptions struct {
	// A namespaced object needs its namespace.
	Namespace string
	Cluster   bool
	// The paths to keep, `status.containerStatuses.restartCount` for example, in the place of those of the type.
	Fields []string
}

// ListOptions say what to list. What is empty is absent.
type ListOptions struct {
	// Absent: every namespace that the operator allows.
	Namespace string
	// For a cluster-scoped resource.
	Cluster bool
	// A label selector: `app=web,tier!=test`.
	Labels string
	// A field selector: `status.phase=Running`.
	FieldSelector string
	// The paths to keep, in the place of those of the type.
	Fields []string
	// Objects on a page: 200 if absent, 1000 or what the operator set at most.
	Limit uint32
	// The cursor of the page before.
	Continue string
}

// LogOptions say what to read of a log. What is empty is absent.
type LogOptions struct {
	// Absent is right for a pod with one container only.
	Container string
	// The run before the last restart.
	Previous bool
	// How many of the newest lines, counted before Matching drops any: 2000 by default, 20,000 with Matching.
	TailLines    uint32
	SinceSeconds uint32
	Timestamps   bool
	// Only lines that this regular expression (RE2) matches somewhere.
	Matching   string
	LimitBytes uint32
}

// Page is one page of a list, and the answer of a tool that lists.
type Page[T any] struct {
	Items     []T      `json:"items"`
	Continue  string   `json:"continue,omitempty"`
	Remaining *uint32  `json:"remaining,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Hint      string   `json:"hint,omitempty"`
}

// WithItems is the page with other items on it.
func WithItems[T, U any](page Page[T], items []U) Page[U] {
	return Page[U]{items, page.Continue, page.Remaining, page.Warnings, page.Hint}
}

// Column is one of a table. A priority above 0 is for `kubectl get -o wide`.
type Column = host.Column

// Row is one of a table: the metadata of its object, and its cells by the names of their columns.
type Row struct {
	Metadata Object         `json:"metadata"`
	Cells    map[string]any `json:"cells"`
}

// TablePage is one page of a list as kubectl shows it.
type TablePage struct {
	Columns []Column
	Page[Row]
}

// Excerpt is the newest lines of a log that fit, oldest first.
type Excerpt = host.Excerpt

// Kind is a resource that the cluster serves, in the version that it prefers.
type Kind = host.Kind

// Health is the state of the API server.
type Health struct {
	GitVersion string `json:"gitVersion"`
	Platform   string `json:"platform"`
	Ready      bool   `json:"ready"`
}

// Asked is one of several objects.
type Asked struct {
	Resource, Name string
	GetOptions
}

// Query is one of several lists.
type Query struct {
	Resource string
	ListOptions
}

// Log is one of several logs.
type Log struct {
	Pod, Namespace string
	LogOptions
}

// Answer is one of several: a value, or why there is none.
type Answer[T any] = host.Answer[T]

// Get reads one object.
func Get[T any](resource, name string, options GetOptions) (T, error) {
	text, err := host.GetObject(object[T](Asked{resource, name, options}))
	if err != nil {
		var none T
		return none, err
	}
	return decoded[T](text), nil
}

// List reads one page of a list. It may hold fewer objects than the limit, even none: only Continue says whether there is more.
func List[T any](resource string, options ListOptions) (Page[T], error) {
	items, err := host.ListObjects(query[T](Query{resource, options}))
	if err != nil {
		return Page[T]{}, err
	}
	return page[T](items), nil
}

// Pages reads page after page, to the end. What a call may read has bounds, so a long list may end in a HostError with the code `exhausted`.
func Pages[T any](resource string, options ListOptions) iter.Seq2[Page[T], error] {
	return func(yield func(Page[T], error) bool) {
		for {
			page, err := List[T](resource, options)
			if !yield(page, err) || err != nil || page.Continue == "" {
				return
			}
			options.Continue = page.Continue
		}
	}
}

// All reads all objects of a list, page after page. It ends with its first error.
func All[T any](resource string, options ListOptions) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page, err := range Pages[T](resource, options) {
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range page.Items {
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// ListUpTo reads a list up to this many objects, as one page. Whatever ended it early, the number or an error, is the last of its warnings, and
// Continue goes on from there where that is possible. Only where the first page fails is that an error. Each page has Limit objects, or as many as can
// be.
func ListUpTo[T any](resource string, objects int, options ListOptions) (Page[T], error) {
	onPage := int(options.Limit)
	if onPage == 0 {
		onPage = pageMax
	}
	most := max(objects, 1)
	options.Limit = uint32(min(onPage, most))
	whole, err := List[T](resource, options)
	for err == nil && whole.Continue != "" {
		read := len(whole.Items)
		if read >= most {
			whole.Warnings = append(whole.Warnings, fmt.Sprintf("only the first %d objects were read, and there are more", read))
			break
		}
		options.Limit, options.Continue = uint32(min(onPage, most-read)), whole.Continue
		page, err := List[T](resource, options)
		if err != nil {
			whole.Warnings = append(whole.Warnings, fmt.Sprintf("only the first %d objects could be read: %v", read, err))
			// A cursor that is too old leads nowhere.
			if why := (*HostError)(nil); errors.As(err, &why) && why.Code == "expired" {
				whole.Continue = ""
			}
			break
		}
		whole.Items = append(whole.Items, page.Items...)
		whole.Continue, whole.Remaining = page.Continue, page.Remaining
		// What one page warns of, another may, too.
		for _, warning := range page.Warnings {
			if !slices.Contains(whole.Warnings, warning) {
				whole.Warnings = append(whole.Warnings, warning)
			}
		}
	}
	return whole, err
}

// Table reads one page of a list in the columns that kubectl shows. Of the fields only those under `metadata` make sense.
func Table(resource string, options ListOptions) (TablePage, error) {
	columns, items, err := host.ListTable(query[Object](Query{resource, options}))
	if err != nil {
		return TablePage{}, err
	}
	return TablePage{columns, page[Row](items)}, nil
}

// Tail reads the end of a container's log.
func Tail(pod, namespace string, options LogOptions) (Excerpt, error) {
	return host.Tail(source(Log{pod, namespace, options}))
}

// GetMany reads several objects, side by side. It fails as a whole only where they are too many.
func GetMany[T any](asked []Asked) ([]Answer[T], error) {
	answers, err := host.GetMany(mapped(asked, object[T]))
	return each(answers, decoded[T]), err
}

// ListMany reads a page of each of several lists, side by side. It fails as a whole only where they are too many.
func ListMany[T any](queries []Query) ([]Answer[Page[T]], error) {
	answers, err := host.ListMany(mapped(queries, query[T]))
	return each(answers, page[T]), err
}

// TailMany reads the ends of several logs, side by side. It fails as a whole only where they are too many.
func TailMany(logs []Log) ([]Answer[Excerpt], error) { return host.TailMany(mapped(logs, source)) }

// Kinds are what the cluster serves, as far as the rules of the component let it be read.
func Kinds() ([]Kind, error) { return host.ServedKinds() }

// APIServer says how the API server is.
func APIServer() (Health, error) {
	text, err := host.APIServer()
	if err != nil {
		return Health{}, err
	}
	return decoded[Health](text), nil
}

func scope(namespace string, cluster bool) host.Scope {
	switch {
	case cluster:
		return host.Scope{Kind: host.Cluster}
	case namespace == "":
		return host.Scope{Kind: host.EveryNamespace}
	}
	return host.Scope{Kind: host.InNamespace, Namespace: namespace}
}

// The paths to read: those that are given, else those of the type.
func fields[T any](given []string) []string {
	if given != nil {
		return given
	}
	return paths(reflect.TypeFor[T]())
}

func object[T any](asked Asked) host.Object {
	within := scope(asked.Namespace, asked.Cluster)
	return host.Object{Of: host.Named(asked.Resource), Within: within, Name: asked.Name, Fields: fields[T](asked.Fields)}
}

func query[T any](asked Query) host.Query {
	return host.Query{
		Of: host.Named(asked.Resource), Within: scope(asked.Namespace, asked.Cluster), Labels: asked.Labels, FieldSelector: asked.FieldSelector,
		Continue: asked.Continue, Fields: fields[T](asked.Fields), Limit: asked.Limit,
	}
}

func source(log Log) host.Source {
	return host.Source{
		Namespace: log.Namespace, Pod: log.Pod, Container: log.Container, Matching: log.Matching, Previous: log.Previous, Timestamps: log.Timestamps,
		TailLines: log.TailLines, SinceSeconds: log.SinceSeconds, LimitBytes: log.LimitBytes,
	}
}

// What the host says in JSON. That the type of an author does not fit is a fault.
func decoded[T any](text string) T {
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		panic(fmt.Errorf("what was read is no %T: %w", value, err))
	}
	return value
}

func page[T any](items host.Items) Page[T] {
	return Page[T]{Items: decoded[[]T](items.Items), Continue: items.Continue, Remaining: items.Remaining, Warnings: items.Warnings}
}

func each[A, B any](answers []Answer[A], value func(A) B) []Answer[B] {
	return mapped(answers, func(answer Answer[A]) Answer[B] {
		if answer.Err != nil {
			return Answer[B]{Err: answer.Err}
		}
		return Answer[B]{Value: value(answer.Value)}
	})
}

func mapped[A, B any](values []A, to func(A) B) []B {
	all := make([]B, len(values))
	for i, value := range values {
		all[i] = to(value)
	}
	return all
}
