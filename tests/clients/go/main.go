// The official Go client. ../README.md says what it reads and writes.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"runtime/debug"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

const library = "github.com/modelcontextprotocol/go-sdk"

var versions = map[string]string{"legacy": "2025-11-25", "modern": "2026-07-28"}

type outcome struct {
	Structured any    `json:"structured"`
	Text       string `json:"text"`
	IsError    bool   `json:"isError"`
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	var task struct{ URL, Era string }
	if err := in.Decode(&task); err != nil {
		return err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "sandbar-tests", Version: "1"}, nil)
	options := &mcp.ClientSessionOptions{ProtocolVersion: versions[task.Era]}
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: task.URL}, options)
	if err != nil {
		return err
	}
	defer session.Close()

	list, err := session.ListTools(ctx, nil)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(list.Tools))
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
	}
	if err := out.Encode(map[string]any{
		"library":  libraryVersion(),
		"protocol": session.InitializeResult().ProtocolVersion,
		"tools":    names,
	}); err != nil {
		return err
	}
	for {
		var call struct {
			Tool      string
			Arguments map[string]any
		}
		if err := in.Decode(&call); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: call.Tool, Arguments: call.Arguments})
		var line any
		if err != nil {
			line = map[string]string{"failed": err.Error()}
		} else {
			line = outcome{result.StructuredContent, text(result), result.IsError}
		}
		if err := out.Encode(line); err != nil {
			return err
		}
	}
}

func text(result *mcp.CallToolResult) string {
	var text strings.Builder
	for _, block := range result.Content {
		if block, ok := block.(*mcp.TextContent); ok {
			text.WriteString(block.Text)
		}
	}
	return text.String()
}

// libraryVersion is what the linker took, whatever go.mod says.
func libraryVersion() string {
	build, _ := debug.ReadBuildInfo()
	for _, module := range build.Deps {
		if module.Path == library {
			return strings.TrimPrefix(module.Version, "v")
		}
	}
	return ""
}
