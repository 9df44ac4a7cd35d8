package sandbar

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"sandbar/internal/host"
)

// User is who calls.
type User = host.User

// Setting is the value that the operator has set for an option of this component, which the host has checked against the schema of its settings; if
// there is none, what is given here.
func Setting[T any](key string, otherwise T) T {
	text, is := host.Setting(key)
	if !is {
		return otherwise
	}
	var value T
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		panic(fmt.Errorf("the setting `%s` cannot be read as %T: %w", key, value, err))
	}
	return value
}

// Settings are all options at once, as the struct that is their schema.
func Settings[T any]() T {
	var settings T
	value := reflect.ValueOf(&settings).Elem()
	setDefaults(value)
	for _, each := range fieldsOf(value.Type()) {
		text, is := host.Setting(each.name)
		if !is {
			continue
		}
		if err := json.Unmarshal([]byte(text), value.FieldByIndex(each.index).Addr().Interface()); err != nil {
			panic(fmt.Errorf("the setting `%s` cannot be read: %w", each.name, err))
		}
	}
	return settings
}

// Now is the time, in UTC. Where gathered files are the cluster, it is theirs. Inside of a component, time.Now() is the same.
func Now() time.Time { return time.UnixMilli(int64(host.NowMs())).UTC() }

// Remaining is the time until the host ends this call.
func Remaining() time.Duration { return time.Duration(host.RemainingMs()) * time.Millisecond }

// Progress tells the client how far the call is: `done`, in any unit that grows, and a short message for a person.
func Progress(done float64, message string) { host.Progress(done, nil, message) }

// ProgressOf is Progress with an end: `done` out of `total`.
func ProgressOf(done, total float64, message string) { host.Progress(done, &total, message) }

// Caller is who has made the call, where the operator grants it (`caller: true`); nil where nobody was authenticated.
func Caller() *User { return host.WhoCalls() }
