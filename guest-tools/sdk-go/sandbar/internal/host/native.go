//go:build !wasip1

package host

// Host has the functions of the contract. Those that read fail with an *Error; of several reads, each has its answer or its error.
type Host interface {
	GetObject(Object) (string, error)
	ListObjects(Query) (Items, error)
	ListTable(Query) ([]Column, Items, error)
	Tail(Source) (Excerpt, error)
	ServedKinds() ([]Kind, error)
	APIServer() (string, error)
	WhoCalls() *User
	Setting(key string) (string, bool)
	NowMs() float64
	RemainingMs() uint32
	Progress(done float64, total *float64, message string)
}

var current Host

// Install has a host answer from now on, and returns the one before.
func Install(next Host) Host {
	before := current
	current = next
	return before
}

func host() Host {
	if current == nil {
		panic("nothing answers here: outside of a component, a test makes a cluster with sandbartest.New")
	}
	return current
}

func GetObject(asked Object) (string, error)           { return host().GetObject(asked) }
func ListObjects(query Query) (Items, error)           { return host().ListObjects(query) }
func ListTable(query Query) ([]Column, Items, error)   { return host().ListTable(query) }
func Tail(source Source) (Excerpt, error)              { return host().Tail(source) }
func GetMany(asked []Object) ([]Answer[string], error) { return each(asked, host().GetObject), nil }
func ListMany(queries []Query) ([]Answer[Items], error) {
	return each(queries, host().ListObjects), nil
}
func TailMany(sources []Source) ([]Answer[Excerpt], error)  { return each(sources, host().Tail), nil }
func ServedKinds() ([]Kind, error)                          { return host().ServedKinds() }
func APIServer() (string, error)                            { return host().APIServer() }
func WhoCalls() *User                                       { return host().WhoCalls() }
func Setting(key string) (string, bool)                     { return host().Setting(key) }
func NowMs() float64                                        { return host().NowMs() }
func RemainingMs() uint32                                   { return host().RemainingMs() }
func Progress(done float64, total *float64, message string) { host().Progress(done, total, message) }

func each[A, B any](asked []A, read func(A) (B, error)) []Answer[B] {
	answers := make([]Answer[B], len(asked))
	for i, one := range asked {
		answers[i].Value, answers[i].Err = read(one)
	}
	return answers
}
