//go:build wasip1

package host

import "unsafe"

// What the host has allocated for an answer. It is Go's memory: the numbers by which the host names it keep nothing alive.
var allocated []unsafe.Pointer

//go:wasmexport cabi_realloc
func realloc(old unsafe.Pointer, oldSize, align, size uint32) unsafe.Pointer {
	if size == 0 {
		return unsafe.Add(nil, align)
	}
	// Words, so that everything is aligned.
	words := make([]uint64, (size+7)/8)
	start := unsafe.Pointer(unsafe.SliceData(words))
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(start), size), unsafe.Slice((*byte)(old), oldSize))
	}
	allocated = append(allocated, start)
	return start
}

func address(pointer unsafe.Pointer) uint32 { return uint32(uintptr(pointer)) }

// Memory is a value as the canonical ABI lays it out, written from its first field to its last. No record of the contract has anything that is
// aligned to more than 4 bytes.
type memory struct {
	bytes []byte
	// What its pointers name, which has to stay.
	kept []unsafe.Pointer
}

// What is smaller may be aligned to less.
const least = 64

func newMemory() *memory { return &memory{bytes: make([]byte, 0, least)} }

func (m *memory) pointer() unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(m.bytes)) }

func (m *memory) align() {
	for len(m.bytes)%4 != 0 {
		m.bytes = append(m.bytes, 0)
	}
}

func (m *memory) u8(value uint8) { m.bytes = append(m.bytes, value) }

func (m *memory) u32(value uint32) {
	m.align()
	m.bytes = append(m.bytes, byte(value), byte(value>>8), byte(value>>16), byte(value>>24))
}

func (m *memory) keep(pointer unsafe.Pointer, length int) {
	m.kept = append(m.kept, pointer)
	m.u32(address(pointer))
	m.u32(uint32(length))
}

func (m *memory) text(text string) { m.keep(unsafe.Pointer(unsafe.StringData(text)), len(text)) }

// The case of an option whose value is aligned to 4 bytes; what is not there takes its room all the same.
func (m *memory) option(is bool) {
	m.align()
	if is {
		m.u32(1)
	} else {
		m.u32(0)
	}
}

func (m *memory) optionalText(text string) {
	m.option(text != "")
	m.text(text)
}

func (m *memory) optionalNumber(number uint32) {
	m.option(number != 0)
	m.u32(number)
}

func (m *memory) optionalTrue(value bool) {
	if value {
		m.u8(1)
		m.u8(1)
	} else {
		m.u8(0)
		m.u8(0)
	}
}

func (m *memory) optionalTexts(texts []string) {
	m.option(len(texts) > 0)
	m.list(writeAll(texts, (*memory).text), len(texts))
}

func (m *memory) list(of *memory, length int) {
	m.kept = append(m.kept, unsafe.Pointer(of))
	m.keep(of.pointer(), length)
}

func writeAll[T any](values []T, write func(*memory, T)) *memory {
	m := newMemory()
	for _, value := range values {
		write(m, value)
		m.align()
	}
	return m
}

// Reader reads what the host has written, from its first field to its last.
type reader struct{ at unsafe.Pointer }

// Area is room for an answer of so many bytes at most.
func area(bytes int) unsafe.Pointer {
	return unsafe.Pointer(unsafe.SliceData(make([]uint64, (bytes+7)/8)))
}

func (r *reader) u8() uint8 {
	value := *(*uint8)(r.at)
	r.at = unsafe.Add(r.at, 1)
	return value
}

func (r *reader) align() { r.at = unsafe.Add(r.at, -uintptr(r.at)&3) }

func (r *reader) u32() uint32 {
	r.align()
	value := *(*uint32)(r.at)
	r.at = unsafe.Add(r.at, 4)
	return value
}

// The case of an option or a result whose values are aligned to 4 bytes.
func (r *reader) isOne() bool {
	r.align()
	is := r.u8() == 1
	r.align()
	return is
}

// A text in the memory that was allocated for it: from now on that is kept by it.
func (r *reader) text() string {
	start, length := r.u32(), r.u32()
	if length == 0 {
		return ""
	}
	return unsafe.String((*byte)(unsafe.Add(nil, start)), length)
}

func (r *reader) optionalText() string {
	is := r.isOne()
	text := r.text()
	if !is {
		return ""
	}
	return text
}

func (r *reader) optionalNumber() *uint32 {
	is := r.isOne()
	number := r.u32()
	if !is {
		return nil
	}
	return &number
}

func readAll[T any](r *reader, read func(*reader) T) []T {
	start, length := r.u32(), r.u32()
	values := make([]T, length)
	within := reader{unsafe.Add(nil, start)}
	for i := range values {
		values[i] = read(&within)
		within.align()
	}
	return values
}
