package sandbar

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// A field of a struct, as JSON has it. Those of an embedded struct are the struct's own.
type field struct {
	name  string
	index []int
	typ   reflect.Type
	tag   reflect.StructTag
	// It may be absent.
	optional bool
}

func fieldsOf(typ reflect.Type) []field {
	var found []field
	for i := range typ.NumField() {
		each := typ.Field(i)
		name, options, _ := strings.Cut(each.Tag.Get("json"), ",")
		switch {
		case each.Anonymous && name == "" && each.Type.Kind() == reflect.Struct:
			for _, inner := range fieldsOf(each.Type) {
				inner.index = append([]int{i}, inner.index...)
				found = append(found, inner)
			}
		case !each.IsExported() || name == "-":
		default:
			if name == "" {
				name = each.Name
			}
			given := strings.Split(options, ",")
			_, hasDefault := each.Tag.Lookup("default")
			optional := hasDefault || slices.Contains(given, "omitempty") || slices.Contains(given, "omitzero")
			found = append(found, field{name, []int{i}, each.Type, each.Tag, optional})
		}
	}
	return found
}

// What a pointer points to.
func bare(typ reflect.Type) reflect.Type {
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	return typ
}

// Whether a type says by itself how it is read and written in JSON, as time.Time does.
func isOpaque(typ reflect.Type) bool {
	return typ == reflect.TypeFor[time.Time]() || reflect.PointerTo(typ).Implements(reflect.TypeFor[json.Unmarshaler]()) ||
		typ.Implements(reflect.TypeFor[json.Marshaler]())
}

// The paths to read of an object, as the host takes them; none: all of it.
func paths(typ reflect.Type) []string { return pathsWithin(typ, nil) }

func pathsWithin(typ reflect.Type, outer []reflect.Type) []string {
	typ = bare(typ)
	// A list is crossed.
	for typ.Kind() == reflect.Slice {
		typ = bare(typ.Elem())
	}
	// Of anything else, and of what has itself inside, all is read.
	if typ.Kind() != reflect.Struct || isOpaque(typ) || slices.Contains(outer, typ) {
		return nil
	}
	var found []string
	for _, each := range fieldsOf(typ) {
		inner := pathsWithin(each.typ, append(outer, typ))
		if inner == nil {
			found = append(found, key(each.name))
		}
		for _, path := range inner {
			found = append(found, key(each.name)+"."+path)
		}
	}
	return found
}

// A key as paths have it.
func key(name string) string {
	isPlain := func(letter rune) bool {
		return letter == '-' || letter == '_' || '0' <= letter && letter <= '9' || 'a' <= letter && letter <= 'z' || 'A' <= letter && letter <= 'Z'
	}
	if strings.TrimFunc(name, isPlain) == "" {
		return name
	}
	return `["` + name + `"]`
}

// Sets what the tags of a struct say that its fields are where they are absent.
func setDefaults(value reflect.Value) {
	for _, each := range fieldsOf(value.Type()) {
		text, has := each.tag.Lookup("default")
		if !has {
			continue
		}
		if err := json.Unmarshal([]byte(asJSON(text, each.typ)), value.FieldByIndex(each.index).Addr().Interface()); err != nil {
			panic(fmt.Errorf("the default of `%s` is none of its type: %w", each.name, err))
		}
	}
}

// What a tag says of a value, in JSON: of a text, the text itself.
func asJSON(text string, typ reflect.Type) string {
	if bare(typ).Kind() != reflect.String {
		return text
	}
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

// Arguments reads what a tool or prompt is called with. The host has checked it; in a test, this does.
func arguments[T any](of, text string) (T, error) {
	var read T
	value := reflect.ValueOf(&read).Elem()
	var given map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		return read, fmt.Errorf("the arguments of %s are wrong: %w", of, err)
	}
	setDefaults(value)
	for _, each := range fieldsOf(value.Type()) {
		there, is := given[each.name]
		delete(given, each.name)
		switch {
		case is && string(there) == "null" && each.optional:
		case is:
			if err := json.Unmarshal(there, value.FieldByIndex(each.index).Addr().Interface()); err != nil {
				return read, fmt.Errorf("the arguments of %s are wrong: `%s`: %w", of, each.name, err)
			}
		case !each.optional:
			return read, fmt.Errorf("the arguments of %s are wrong: `%s` is required", of, each.name)
		}
	}
	for name := range given {
		return read, fmt.Errorf("the arguments of %s are wrong: `%s` is not known", of, name)
	}
	return read, nil
}

// Written is a value in JSON. A list or a map that is nil is an empty one: its schema says that it is one.
func written(value any) ([]byte, error) {
	whole := reflect.New(reflect.TypeOf(value)).Elem()
	whole.Set(reflect.ValueOf(value))
	fill(whole)
	return json.Marshal(whole.Interface())
}

func fill(value reflect.Value) {
	switch value.Kind() {
	case reflect.Struct:
		if isOpaque(value.Type()) {
			return
		}
		for _, each := range fieldsOf(value.Type()) {
			if inner := value.FieldByIndex(each.index); !inner.IsZero() || !each.optional {
				fill(inner)
			}
		}
	case reflect.Map:
		if value.IsNil() {
			value.Set(reflect.MakeMap(value.Type()))
		}
	case reflect.Slice:
		if value.IsNil() {
			value.Set(reflect.MakeSlice(value.Type(), 0, 0))
		}
		// Of plain values there is nothing to fill.
		for i := 0; i < value.Len() && isDeep(value.Type().Elem()); i++ {
			fill(value.Index(i))
		}
	}
}

func isDeep(typ reflect.Type) bool {
	return typ.Kind() == reflect.Struct || typ.Kind() == reflect.Slice
}
