package sandbar

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"strings"
	"unsafe"

	"sandbar/internal/host"
)

// Characters of a fault's text that a model reads. The whole is in the log.
const shown = 200

// The last answer, which the host reads when the call has returned: a result<string, string> as the canonical ABI has it.
var answer struct{ isError, start, length uint32 }

// What the answer names.
var answered []byte

func respond(text []byte, isError bool) unsafe.Pointer {
	answered = text
	answer.isError, answer.start, answer.length = 0, uint32(uintptr(unsafe.Pointer(unsafe.SliceData(text)))), uint32(len(text))
	if isError {
		answer.isError = 1
	}
	return unsafe.Pointer(&answer)
}

//go:wasmexport sandbar:tool/tools@0.1.0#manifest
func manifest() unsafe.Pointer {
	respond(run("the manifest", component().Manifest))
	// A string alone.
	return unsafe.Pointer(&answer.start)
}

//go:wasmexport sandbar:tool/tools@0.1.0#call
func call(name unsafe.Pointer, nameLength uint32, arguments unsafe.Pointer, argumentsLength uint32) unsafe.Pointer {
	tool, given := text(name, nameLength), text(arguments, argumentsLength)
	return respond(run(tool, func() ([]byte, error) { return component().Call(tool, given) }))
}

//go:wasmexport sandbar:tool/prompts@0.1.0#get
func get(name unsafe.Pointer, nameLength uint32, arguments unsafe.Pointer, argumentsLength uint32) unsafe.Pointer {
	prompt, given := text(name, nameLength), text(arguments, argumentsLength)
	return respond(run(prompt, func() ([]byte, error) { return component().Get(prompt, given) }))
}

//go:wasmexport sandbar:tool/resources@0.1.0#read
func read(uri unsafe.Pointer, length uint32) unsafe.Pointer {
	of := text(uri, length)
	return respond(run(of, func() ([]byte, error) { return component().Read(of) }))
}

func text(start unsafe.Pointer, length uint32) string { return unsafe.String((*byte)(start), length) }

func component() *Component {
	if served == nil {
		panic("no component is served: the module has to have `var component = sandbar.Serve(sandbar.Component{...})`")
	}
	return served
}

// Runs code of an author, and turns how it fails into words: those that it means to tell, or what kind of fault it was.
func run(what string, do func() ([]byte, error)) (text []byte, isError bool) {
	defer func() {
		if fault := recover(); fault != nil {
			text, isError = []byte(faultOf(what, fault)), true
		}
	}()
	text, err := do()
	if err != nil {
		return []byte(err.Error()), true
	}
	return text, false
}

func faultOf(what string, fault any) string {
	words := fmt.Sprint(fault)
	if err, is := fault.(error); is {
		words = err.Error()
	}
	stack, place := stack(), ""
	if len(stack) > 0 {
		place = ", at " + stack[0]
	}
	lines := append([]string{"panic: " + words}, stack...)
	host.Log(host.Fault, strings.Join(lines, "\n    at "))
	if letters := []rune(words); len(letters) > shown {
		words = string(letters[:shown]) + "..."
	}
	return fmt.Sprintf("%s has a fault: %s%s; the server's log has the stack", what, words, place)
}

// The frames of the author, the innermost first: `main.deeper (tool.go:25)`. Of this module and of Go's own, nothing is to be mended by the author.
func stack() []string {
	counters := make([]uintptr, 64)
	frames := runtime.CallersFrames(counters[:runtime.Callers(1, counters)])
	module := ""
	if info, is := debug.ReadBuildInfo(); is {
		module = info.Main.Path + "/"
	}
	var found []string
	for {
		frame, more := frames.Next()
		// A build with -trimpath has files by their import paths.
		if file, is := strings.CutPrefix(frame.File, module); is {
			found = append(found, fmt.Sprintf("%s (%s:%d)", frame.Function, file, frame.Line))
		}
		if !more {
			return found
		}
	}
}

// Bytes of memory from which on Go makes room rather than take more: less than a component may use, where the operator sets nothing else.
const memoryMost = 48 << 20

func init() {
	debug.SetMemoryLimit(memoryMost)
	// What is logged goes to the server's log.
	slog.SetDefault(slog.New(logger{}))
}

type logger struct{ prefix, attributes string }

func (logger) Enabled(context.Context, slog.Level) bool { return true }

func (l logger) Handle(_ context.Context, record slog.Record) error {
	line := record.Message + l.attributes
	record.Attrs(func(each slog.Attr) bool {
		line += l.shown(each)
		return true
	})
	host.Log(levelOf(record.Level), line)
	return nil
}

func (l logger) WithAttrs(attributes []slog.Attr) slog.Handler {
	for _, each := range attributes {
		l.attributes += l.shown(each)
	}
	return l
}

func (l logger) WithGroup(name string) slog.Handler {
	l.prefix += name + "."
	return l
}

func (l logger) shown(each slog.Attr) string {
	return fmt.Sprintf(" %s%s=%v", l.prefix, each.Key, each.Value.Resolve())
}

func levelOf(level slog.Level) host.Level {
	switch {
	case level >= slog.LevelError:
		return host.Fault
	case level >= slog.LevelWarn:
		return host.Warn
	case level >= slog.LevelInfo:
		return host.Info
	case level >= slog.LevelDebug:
		return host.Debug
	}
	return host.Trace
}
