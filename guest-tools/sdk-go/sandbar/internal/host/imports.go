//go:build wasip1

package host

import (
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// The functions of the contract, as a core module imports them. Those that a tool does not reach are not in its component.

//go:wasmimport sandbar:kubernetes/read@0.1.0 get-object
func getObject(asked, answer unsafe.Pointer)

//go:wasmimport sandbar:kubernetes/read@0.1.0 list-objects
func listObjects(query, answer unsafe.Pointer)

//go:wasmimport sandbar:kubernetes/table@0.1.0 list-table
func listTable(query, answer unsafe.Pointer)

//go:wasmimport sandbar:kubernetes/logs@0.1.0 tail
func tail(source, answer unsafe.Pointer)

//go:wasmimport sandbar:kubernetes/read-many@0.1.0 get-many
func getMany(asked unsafe.Pointer, count uint32, answer unsafe.Pointer)

//go:wasmimport sandbar:kubernetes/read-many@0.1.0 list-many
func listMany(queries unsafe.Pointer, count uint32, answer unsafe.Pointer)

//go:wasmimport sandbar:kubernetes/logs-many@0.1.0 tail-many
func tailMany(sources unsafe.Pointer, count uint32, answer unsafe.Pointer)

//go:wasmimport sandbar:kubernetes/discovery@0.1.0 served-kinds
func servedKinds(answer unsafe.Pointer)

//go:wasmimport sandbar:kubernetes/health@0.1.0 api-server
func apiServer(answer unsafe.Pointer)

//go:wasmimport sandbar:tool/caller@0.1.0 who-calls
func whoCalls(answer unsafe.Pointer)

//go:wasmimport sandbar:tool/context@0.1.0 setting
func setting(key unsafe.Pointer, length uint32, answer unsafe.Pointer)

//go:wasmimport sandbar:tool/context@0.1.0 now-ms
func nowMs() float64

//go:wasmimport sandbar:tool/context@0.1.0 remaining-ms
func remainingMs() uint32

//go:wasmimport sandbar:tool/context@0.1.0 progress
func progress(done float64, hasTotal uint32, total float64, hasMessage uint32, message unsafe.Pointer, length uint32)

//go:wasmimport sandbar:tool/logging@0.1.0 log
func log(level uint32, message unsafe.Pointer, length uint32)

// Bytes of the largest answer, an excerpt or a page of a table, and more than those.
const answerBytes = 128

// Whose turn it is to call the host. While that answers it has memory allocated here, and Go may run other goroutines then, which have to wait: a
// component cannot be left from within.
var turn sync.Mutex

// The byte that says so to wasi.wat, whose functions Go calls at any time. Go itself has nothing at this address.
const answering = 12287

func setAnswering(is uint8) { *(*uint8)(unsafe.Add(nil, answering)) = is }

// Calls what needs no memory for its answer.
func inTurn[T any](call func() T) T {
	turn.Lock()
	defer turn.Unlock()
	return call()
}

// Asks the host with a value in memory, and reads its answer.
func ask[T any](asked *memory, call func(asked, answer unsafe.Pointer), read func(*reader) T) T {
	turn.Lock()
	defer turn.Unlock()
	answer := area(answerBytes)
	setAnswering(1)
	call(asked.pointer(), answer)
	setAnswering(0)
	value := read(&reader{answer})
	runtime.KeepAlive(asked)
	// What of it is needed is in the value.
	allocated = nil
	return value
}

func nothing() *memory { return newMemory() }

func GetObject(asked Object) (string, error) {
	answer := ask(writeAll([]Object{asked}, writeObject), getObject, answerOf((*reader).text))
	return answer.Value, answer.Err
}

func ListObjects(query Query) (Items, error) {
	answer := ask(writeAll([]Query{query}, writeQuery), listObjects, answerOf(readItems))
	return answer.Value, answer.Err
}

func ListTable(query Query) ([]Column, Items, error) {
	type table struct {
		columns []Column
		items   Items
	}
	read := func(r *reader) table { return table{readAll(r, readColumn), readItems(r)} }
	answer := ask(writeAll([]Query{query}, writeQuery), listTable, answerOf(read))
	return answer.Value.columns, answer.Value.items, answer.Err
}

func Tail(source Source) (Excerpt, error) {
	answer := ask(writeAll([]Source{source}, writeSource), tail, answerOf(readExcerpt))
	return answer.Value, answer.Err
}

func GetMany(asked []Object) ([]Answer[string], error) {
	many := func(list, answer unsafe.Pointer) { getMany(list, uint32(len(asked)), answer) }
	return several(ask(writeAll(asked, writeObject), many, answerOf(answersOf((*reader).text))))
}

func ListMany(queries []Query) ([]Answer[Items], error) {
	many := func(list, answer unsafe.Pointer) { listMany(list, uint32(len(queries)), answer) }
	return several(ask(writeAll(queries, writeQuery), many, answerOf(answersOf(readItems))))
}

func TailMany(sources []Source) ([]Answer[Excerpt], error) {
	many := func(list, answer unsafe.Pointer) { tailMany(list, uint32(len(sources)), answer) }
	return several(ask(writeAll(sources, writeSource), many, answerOf(answersOf(readExcerpt))))
}

func ServedKinds() ([]Kind, error) {
	call := func(_, answer unsafe.Pointer) { servedKinds(answer) }
	answer := ask(nothing(), call, answerOf(func(r *reader) []Kind { return readAll(r, readKind) }))
	return answer.Value, answer.Err
}

func APIServer() (string, error) {
	call := func(_, answer unsafe.Pointer) { apiServer(answer) }
	answer := ask(nothing(), call, answerOf((*reader).text))
	return answer.Value, answer.Err
}

func WhoCalls() *User {
	call := func(_, answer unsafe.Pointer) { whoCalls(answer) }
	return ask(nothing(), call, func(r *reader) *User {
		if !r.isOne() {
			return nil
		}
		return &User{r.text(), readAll(r, (*reader).text)}
	})
}

func Setting(key string) (string, bool) {
	is := false
	call := func(_, answer unsafe.Pointer) {
		setting(unsafe.Pointer(unsafe.StringData(key)), uint32(len(key)), answer)
	}
	text := ask(nothing(), call, func(r *reader) string {
		is = *(*uint8)(r.at) == 1
		return r.optionalText()
	})
	return text, is
}

func NowMs() float64      { return inTurn(nowMs) }
func RemainingMs() uint32 { return inTurn(remainingMs) }

func Progress(done float64, total *float64, message string) {
	var hasTotal, hasMessage uint32
	var of float64
	if total != nil {
		hasTotal, of = 1, *total
	}
	if message != "" {
		hasMessage = 1
	}
	turn.Lock()
	defer turn.Unlock()
	progress(done, hasTotal, of, hasMessage, unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
	runtime.KeepAlive(message)
}

func Log(level Level, message string) {
	turn.Lock()
	defer turn.Unlock()
	log(uint32(level), unsafe.Pointer(unsafe.StringData(message)), uint32(len(message)))
	runtime.KeepAlive(message)
}

func several[T any](answer Answer[[]Answer[T]]) ([]Answer[T], error) { return answer.Value, answer.Err }

func answersOf[T any](read func(*reader) T) func(*reader) []Answer[T] {
	one := answerOf(read)
	return func(r *reader) []Answer[T] {
		// The cases of a result take the same room: the larger one's.
		return readSpaced(r, one, sizeOf[T]())
	}
}

func answerOf[T any](read func(*reader) T) func(*reader) Answer[T] {
	return func(r *reader) Answer[T] {
		if r.isOne() {
			return Answer[T]{Err: readError(r)}
		}
		return Answer[T]{Value: read(r)}
	}
}

// Sizes of the contract's values, in bytes: what stands in a list of results is as far apart as the larger case is long.
const (
	sizeOfError   = 24
	sizeOfItems   = 48
	sizeOfExcerpt = 44
)

func sizeOf[T any]() uintptr {
	var value T
	switch any(value).(type) {
	case Items:
		return 4 + sizeOfItems
	case Excerpt:
		return 4 + sizeOfExcerpt
	}
	return 4 + sizeOfError
}

func readSpaced[T any](r *reader, read func(*reader) T, size uintptr) []T {
	start, length := r.u32(), r.u32()
	values := make([]T, length)
	for i := range values {
		values[i] = read(&reader{unsafe.Add(nil, uintptr(start)+uintptr(i)*size)})
	}
	return values
}

func writeResource(m *memory, resource Resource) {
	m.text(resource.Group)
	m.text(resource.Version)
	m.text(resource.Plural)
}

func writeScope(m *memory, scope Scope) {
	m.u32(uint32(scope.Kind))
	m.text(scope.Namespace)
}

func writeObject(m *memory, object Object) {
	writeResource(m, object.Of)
	writeScope(m, object.Within)
	m.text(object.Name)
	m.optionalTexts(object.Fields)
	m.optionalText("")
}

func writeQuery(m *memory, query Query) {
	writeResource(m, query.Of)
	writeScope(m, query.Within)
	m.optionalText(query.Labels)
	m.optionalText(query.FieldSelector)
	m.optionalTexts(query.Fields)
	m.optionalNumber(query.Limit)
	m.optionalText(query.Continue)
	m.optionalText("")
}

func writeSource(m *memory, source Source) {
	m.text(source.Namespace)
	m.text(source.Pod)
	m.optionalText(source.Container)
	m.optionalTrue(source.Previous)
	m.optionalNumber(source.TailLines)
	m.optionalNumber(source.SinceSeconds)
	m.optionalTrue(source.Timestamps)
	m.optionalText(source.Matching)
	m.optionalNumber(source.LimitBytes)
	m.optionalText("")
}

func readItems(r *reader) Items {
	return Items{r.text(), r.optionalText(), r.optionalNumber(), readAll(r, (*reader).text)}
}

func readColumn(r *reader) Column { return Column{r.text(), r.u32()} }

func readExcerpt(r *reader) Excerpt {
	excerpt := Excerpt{Text: r.text(), Truncated: r.u8() == 1, DroppedBytes: r.optionalNumber()}
	is, older := r.u8() == 1, r.u8() == 1
	if is {
		excerpt.Older = &older
	}
	excerpt.Warnings = readAll(r, (*reader).text)
	return excerpt
}

func readKind(r *reader) Kind {
	of := Resource{r.text(), r.text(), r.text()}
	return Kind{
		Resource: of.String(), Version: of.Version, Name: r.text(), ShortNames: readAll(r, (*reader).text), Namespaced: r.u8() == 1,
		Verbs: readAll(r, (*reader).text),
	}
}

func readError(r *reader) error {
	err := &Error{Code: r.text(), Message: r.text()}
	if wait := r.optionalNumber(); wait != nil {
		err.RetryAfter = time.Duration(*wait) * time.Millisecond
	}
	return err
}
