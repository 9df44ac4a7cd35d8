package sandbar

import "sandbar/internal/host"

// HostError is why the host did not answer. Its words are fit for the model as they are, so most tools return it as it is; `errors.As` finds its Code,
// and Hint adds to its words.
//
// Any error that a tool returns is read by the model: it says what was wrong, with which value, and what to do. A panic is a fault of the tool: its
// stack goes to the server's log, and the model reads only what it was and where.
type HostError = host.Error
