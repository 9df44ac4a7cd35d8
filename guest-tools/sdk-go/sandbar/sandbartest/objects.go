//go:build !wasip1

package sandbartest

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"sandbar"
)

// A text of an object's metadata.
func metadata(object sandbar.Object, key string) string {
	metadata, _ := object["metadata"].(sandbar.Object)
	text, _ := metadata[key].(string)
	return text
}

var (
	inSet   = regexp.MustCompile(`^(\S+)\s+(not)?in\s*\((.*)\)$`)
	isEqual = regexp.MustCompile(`^([^!=\s]+)\s*(!?)==?\s*(\S*)$`)
	step    = regexp.MustCompile(`\["([^"]+)"\]|([A-Za-z0-9_-]+)`)
)

// Whether a label selector fits: `a=b`, `a==b`, `a!=b`, `a`, `!a`, `a in (b,c)`, `a notin (b,c)`.
func hasLabels(object sandbar.Object, selector string) bool {
	metadata, _ := object["metadata"].(sandbar.Object)
	labels, _ := metadata["labels"].(sandbar.Object)
	for _, condition := range conditions(selector) {
		if set := inSet.FindStringSubmatch(condition); set != nil {
			value, has := labels[set[1]]
			among := strings.FieldsFunc(set[3], func(letter rune) bool { return letter == ',' || letter == ' ' })
			if (has && slices.Contains(among, fmt.Sprint(value))) == (set[2] != "") {
				return false
			}
		} else if equal := isEqual.FindStringSubmatch(condition); equal != nil {
			if (labels[equal[1]] == any(equal[3])) == (equal[2] != "") {
				return false
			}
		} else {
			name, not := strings.CutPrefix(condition, "!")
			if _, has := labels[strings.TrimSpace(name)]; has == not {
				return false
			}
		}
	}
	return true
}

// The conditions of a selector: commas within parentheses separate none.
func conditions(selector string) []string {
	depth := 0
	parts := strings.FieldsFunc(selector, func(letter rune) bool {
		switch letter {
		case '(':
			depth++
		case ')':
			depth--
		}
		return letter == ',' && depth == 0
	})
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// Whether a field selector fits: `a.b=c`, `a.b!=c`. What is not there is "".
func hasFields(object sandbar.Object, selector string) bool {
	for _, condition := range conditions(selector) {
		path, value, _ := strings.Cut(strings.Replace(condition, "==", "=", 1), "=")
		path, not := strings.CutSuffix(path, "!")
		var there any = object
		for key := range strings.SplitSeq(path, ".") {
			within, _ := there.(sandbar.Object)
			there = within[key]
		}
		if there == nil {
			there = ""
		}
		if (fmt.Sprint(there) == value) == not {
			return false
		}
	}
	return true
}

// An object with these fields alone, as the host hands it over; without any, all of it.
func picked(object sandbar.Object, fields []string) sandbar.Object {
	if fields == nil {
		whole := maps.Clone(object)
		metadata := maps.Clone(whole["metadata"].(sandbar.Object))
		delete(metadata, "managedFields")
		whole["metadata"] = metadata
		return whole
	}
	found := sandbar.Object{}
	for _, path := range fields {
		var keys []string
		for _, match := range step.FindAllStringSubmatch(path, -1) {
			keys = append(keys, match[1]+match[2])
		}
		merge(found, along(copied(object), keys))
	}
	return found
}

func copied(object sandbar.Object) (copy sandbar.Object) {
	text, _ := json.Marshal(object)
	_ = json.Unmarshal(text, &copy)
	return copy
}

func along(value any, keys []string) any {
	if len(keys) == 0 {
		return value
	}
	switch value := value.(type) {
	case []any:
		all := make([]any, len(value))
		for i, item := range value {
			all[i] = along(item, keys)
		}
		return all
	case sandbar.Object:
		if there, has := value[keys[0]]; has {
			return sandbar.Object{keys[0]: along(there, keys[1:])}
		}
	}
	return sandbar.Object{}
}

func merge(into sandbar.Object, more any) {
	object, _ := more.(sandbar.Object)
	for key, value := range object {
		into[key] = merged(into[key], value)
	}
}

func merged(one, other any) any {
	switch there := one.(type) {
	case sandbar.Object:
		merge(there, other)
		return there
	case []any:
		if more, is := other.([]any); is {
			for i := range min(len(there), len(more)) {
				there[i] = merged(there[i], more[i])
			}
		}
		return there
	}
	return other
}
