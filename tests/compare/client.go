package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// The version of MCP that all of them speak.
const version = "2025-06-18"

// client asks one server over connections that are kept.
type client struct {
	http    *http.Client
	url     string
	session string
	version string // that of the server
}

var serverVersion = regexp.MustCompile(`"serverInfo":\{[^}]*"version":"v?([^"]*)"`)

func newClient(address string, patience float64) *client {
	transport := &http.Transport{MaxIdleConnsPerHost: 4096, DisableCompression: true}
	return &client{http: &http.Client{Transport: transport, Timeout: time.Duration(patience * float64(time.Second))}, url: "http://" + address + "/mcp"}
}

// initialize begins a session, where the server has some.
func (c *client) initialize() error {
	params := object{"protocolVersion": version, "capabilities": object{}, "clientInfo": map[string]string{"name": "compare", "version": "1"}}
	response, err := c.http.Do(c.request(message("initialize", params)))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	c.session = response.Header.Get("mcp-session-id")
	if found := serverVersion.FindSubmatch(body); found != nil {
		c.version = string(found[1])
	}
	return err
}

func message(method string, params any) []byte {
	return must(json.Marshal(object{"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
}

func (c *client) request(body []byte) *http.Request {
	request := must(http.NewRequest(http.MethodPost, c.url, bytes.NewReader(body)))
	request.Header = http.Header{
		"Content-Type": {"application/json"}, "Accept": {"application/json, text/event-stream"}, "Mcp-Protocol-Version": {version},
	}
	if c.session != "" {
		request.Header.Set("Mcp-Session-Id", c.session)
	}
	return request
}

// exchange sends a message and reads all that comes, unparsed.
func (c *client) exchange(body []byte) ([]byte, error) {
	response, err := c.http.Do(c.request(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %.200s", response.Status, answer)
	}
	return answer, err
}

// answer is what a server said to a call.
type answer struct {
	wire    int    // bytes of the body
	text    string // what a client shows its model: the text, or the structure where that is longer
	next    string // the cursor of a list that goes on
	isError bool
}

// read takes the answer out of a body, which is JSON or a stream of events whose last has it.
func read(body []byte) (answer, error) {
	var message struct {
		Result struct {
			Content           []struct{ Text string }
			StructuredContent json.RawMessage
			Tools             json.RawMessage
			IsError           bool
		}
		Error *struct{ Message string }
	}
	text := string(body)
	if at := strings.LastIndex(text, "data: {"); at >= 0 && !strings.HasPrefix(text, "{") {
		text = text[at+len("data: "):]
	}
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&message); err != nil {
		return answer{}, fmt.Errorf("no answer: %w: %.200s", err, body)
	}
	if message.Error != nil {
		return answer{wire: len(body), text: message.Error.Message, isError: true}, nil
	}
	said := answer{wire: len(body), text: string(message.Result.Tools), isError: message.Result.IsError}
	for _, block := range message.Result.Content {
		said.text += block.Text
	}
	if structure := string(message.Result.StructuredContent); structure != "" {
		var list struct{ Continue string }
		_ = json.Unmarshal(message.Result.StructuredContent, &list)
		said.next = list.Continue
		if len(structure) > len(said.text) {
			said.text = structure
		}
	}
	return said, nil
}

// call is a tool with its arguments.
type call struct {
	tool      string
	arguments object
	pages     bool // go on until the list ends
}

// message is the request; without a tool it asks for the list of tools.
func (c call) message() []byte {
	if c.tool == "" {
		return message("tools/list", object{})
	}
	return message("tools/call", object{"name": c.tool, "arguments": c.arguments})
}

// ask makes a call, or as many as the list has pages.
func (c *client) ask(call call) (answer, error) {
	body, err := c.exchange(call.message())
	if err != nil {
		return answer{}, err
	}
	whole, err := read(body)
	for err == nil && call.pages && whole.next != "" {
		arguments := object{"continue": whole.next}
		for name, value := range call.arguments {
			arguments[name] = value
		}
		var page answer
		if body, err = c.exchange(message("tools/call", object{"name": call.tool, "arguments": arguments})); err == nil {
			page, err = read(body)
			whole = answer{wire: whole.wire + page.wire, text: whole.text + page.text, next: page.next, isError: page.isError}
		}
	}
	return whole, err
}
