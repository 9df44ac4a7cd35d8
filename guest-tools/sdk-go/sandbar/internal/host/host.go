// Package host is what stands behind the functions of this module: inside of a component the imports of the contract, in a test a cluster that plays them.
package host

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Resource is one as it stands in a URL and in RBAC. The group "" is the core group, the version "" the one that the server prefers.
type Resource struct{ Group, Version, Plural string }

// Named is a resource as kubectl has it: `pods`, `deployments.apps`, `deployments.v1.apps`.
func Named(name string) Resource {
	plural, rest, _ := strings.Cut(name, ".")
	first, after, _ := strings.Cut(rest, ".")
	if len(first) > 1 && first[0] == 'v' && '0' <= first[1] && first[1] <= '9' {
		return Resource{after, first, plural}
	}
	return Resource{rest, "", plural}
}

func (resource Resource) String() string {
	if resource.Group == "" {
		return resource.Plural
	}
	return resource.Plural + "." + resource.Group
}

// Scope is where to look: Cluster, EveryNamespace or InNamespace with one's name.
type Scope struct {
	Kind      ScopeKind
	Namespace string
}

// ScopeKind is a case of the contract's scope, by its number.
type ScopeKind uint8

const (
	Cluster ScopeKind = iota
	EveryNamespace
	InNamespace
)

// Object is which object to read, and which of its fields; none: all.
type Object struct {
	Of     Resource
	Within Scope
	Name   string
	Fields []string
}

// Query is which page of a list to read. What is empty is absent.
type Query struct {
	Of                              Resource
	Within                          Scope
	Labels, FieldSelector, Continue string
	Fields                          []string
	Limit                           uint32
}

// Source is which part of which log to read. What is empty is absent.
type Source struct {
	Namespace, Pod, Container, Matching string
	Previous, Timestamps                bool
	TailLines, SinceSeconds, LimitBytes uint32
}

// Items is a page of a list. The items are a list in JSON.
type Items struct {
	Items     string
	Continue  string
	Remaining *uint32
	Warnings  []string
}

// Column is one of a table. A priority above 0 is for `kubectl get -o wide`.
type Column struct {
	Name     string
	Priority uint32
}

// Excerpt is the newest lines of a log that fit, oldest first.
type Excerpt struct {
	Text string
	// The cap cut something off.
	Truncated bool
	// How many bytes were cut off; nil: not known.
	DroppedBytes *uint32
	// Whether older lines exist; nil: not known.
	Older    *bool
	Warnings []string
}

// Kind is a resource that the cluster serves, in the version that it prefers.
type Kind struct {
	// How it is asked for: `deployments.apps`.
	Resource string
	Version  string
	// What one of its objects is called: `Deployment`.
	Name       string
	ShortNames []string
	Namespaced bool
	Verbs      []string
}

// User is who calls.
type User struct {
	Name   string
	Groups []string
}

// Error is why the host did not answer. Its words are fit for the model as they are, so most tools return it as it is.
type Error struct {
	// One of an open list: denied, not-found, not-served, invalid, expired, too-large, exhausted, throttled, unavailable, other.
	Code    string
	Message string
	// How long to wait before trying again; 0: not known.
	RetryAfter time.Duration
	// What may help, if a tool knows that; it is added to the words.
	Hint string
}

func (err *Error) Error() string {
	words := err.Message
	if err.Hint != "" {
		words += "; " + err.Hint
	}
	if err.RetryAfter > 0 {
		words += fmt.Sprintf(" (try again in %.0f s)", math.Ceil(err.RetryAfter.Seconds()))
	}
	return words
}

// Answer is one of several: a value, or why there is none.
type Answer[T any] struct {
	Value T
	Err   error
}

// Level is how much a line of the log matters, by its number in the contract.
type Level uint8

const (
	Trace Level = iota
	Debug
	Info
	Warn
	Fault
)
