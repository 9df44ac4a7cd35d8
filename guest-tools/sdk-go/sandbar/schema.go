package sandbar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// An object in JSON that keeps the order of its members, as a schema's author wrote them.
type members []member

type member struct {
	key   string
	value any
}

func (all members) MarshalJSON() ([]byte, error) {
	var text bytes.Buffer
	text.WriteByte('{')
	for i, each := range all {
		if i > 0 {
			text.WriteByte(',')
		}
		value, err := json.Marshal(each.value)
		if err != nil {
			return nil, err
		}
		key, _ := json.Marshal(each.key)
		fmt.Fprintf(&text, "%s:%s", key, value)
	}
	text.WriteByte('}')
	return text.Bytes(), nil
}

// With is the object with another member, if that is not empty.
func (all members) with(key string, value any) members {
	if of := reflect.ValueOf(value); of.IsZero() || of.Kind() == reflect.Slice && of.Len() == 0 {
		return all
	}
	return append(all, member{key, value})
}

// The schema of a struct as arguments or settings. What it does not name is refused.
func schemaOfArguments(typ reflect.Type) members {
	return append(members{{"type", "object"}, {"additionalProperties", false}}, schemaOfFields(typ, false, nil)...)
}

// The schema of a type as an answer. It stays open: a later version may answer more. What it is for is said by the tool itself.
func schemaOfAnswer(typ reflect.Type) members {
	schema := schemaOf(typ, true, nil)
	return slices.DeleteFunc(schema, func(each member) bool { return each.key == "description" })
}

func schemaOfFields(typ reflect.Type, isAnswer bool, outer []reflect.Type) members {
	properties, required := members{}, []string(nil)
	for _, each := range fieldsOf(typ) {
		schema := schemaOf(bare(each.typ), isAnswer, outer)
		if isAnswer && !each.optional && each.typ.Kind() == reflect.Pointer {
			schema = members{{"anyOf", []members{schema, {{"type", "null"}}}}}
		}
		if !each.optional {
			required = append(required, each.name)
		}
		properties = append(properties, member{each.name, schema.tagged(each)})
	}
	return members{{"properties", properties}}.with("required", required)
}

// What the tags of a field add to its schema.
func (all members) tagged(each field) members {
	if about := each.tag.Get("about"); about != "" {
		all = slices.DeleteFunc(all, func(each member) bool { return each.key == "description" })
		all = append(all, member{"description", about})
	}
	if options := each.tag.Get("enum"); options != "" {
		var values []json.RawMessage
		for option := range strings.SplitSeq(options, ",") {
			values = append(values, json.RawMessage(asJSON(option, each.typ)))
		}
		all = append(all, member{"enum", values})
	}
	if value, is := each.tag.Lookup("default"); is {
		all = append(all, member{"default", json.RawMessage(asJSON(value, each.typ))})
	}
	if keywords := each.tag.Get("schema"); keywords != "" {
		for keyword := range strings.SplitSeq(keywords, ",") {
			name, value, _ := strings.Cut(keyword, "=")
			all = slices.DeleteFunc(all, func(each member) bool { return each.key == name })
			if !json.Valid([]byte(value)) {
				value = asJSON(value, reflect.TypeFor[string]())
			}
			all = append(all, member{name, json.RawMessage(value)})
		}
	}
	return all
}

func schemaOf(typ reflect.Type, isAnswer bool, outer []reflect.Type) members {
	typ = bare(typ)
	switch typ.Kind() {
	case reflect.String:
		return members{{"type", "string"}}
	case reflect.Bool:
		return members{{"type", "boolean"}}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return members{{"type", "integer"}}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return members{{"type", "integer"}, {"minimum", 0}}
	case reflect.Float32, reflect.Float64:
		return members{{"type", "number"}}
	case reflect.Interface:
		return members{}
	case reflect.Slice:
		if typ == reflect.TypeFor[json.RawMessage]() {
			return members{}
		}
		return members{{"type", "array"}, {"items", schemaOf(typ.Elem(), isAnswer, outer)}}
	case reflect.Map:
		if typ.Key().Kind() == reflect.String {
			return members{{"type", "object"}}.with("additionalProperties", schemaOf(typ.Elem(), isAnswer, outer))
		}
	case reflect.Struct:
		if typ == reflect.TypeFor[time.Time]() {
			return members{{"type", "string"}, {"format", "date-time"}}
		}
		if slices.Contains(outer, typ) {
			panic(fmt.Errorf("%v has itself inside, and a schema with a reference to itself is nothing that models read well", typ))
		}
		if !isOpaque(typ) {
			fields := schemaOfFields(typ, isAnswer, append(outer, typ))
			return append(members{}.with("description", about(typ)).with("type", "object"), fields...)
		}
	}
	panic(fmt.Errorf("%v has no JSON Schema here: use texts, booleans, numbers, time.Time, slices, maps with texts as keys, structs and pointers to these", typ))
}

// What a type is for, by the tag of a field without a name: `_ struct{} `about:"What is answered for each."“.
func about(typ reflect.Type) string {
	for i := range typ.NumField() {
		if each := typ.Field(i); each.Name == "_" {
			return each.Tag.Get("about")
		}
	}
	return ""
}
