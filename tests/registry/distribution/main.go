// The registry of the CNCF's distribution, in memory, for tests. It listens on a free port of 127.0.0.1, prints its address, and ends when its
// standard input does.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
)

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	config := &configuration.Configuration{Storage: configuration.Storage{"inmemory": configuration.Parameters{}}}
	config.Catalog.MaxEntries = 100
	config.HTTP.Secret = "of no use"
	config.Log.Level = "error"
	app := handlers.NewApp(context.Background(), config)
	fmt.Println(listener.Addr())
	go func() { log.Fatal(http.Serve(listener, app)) }()
	io.Copy(io.Discard, os.Stdin)
}
