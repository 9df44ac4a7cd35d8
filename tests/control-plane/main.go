// Command control-plane gives a test a real Kubernetes API: kube-apiserver and etcd in this process, and kwok as a child that
// plays the nodes and kubelets. No container, no root, nothing but loopback addresses and unix sockets.
//
// README.md tells how to build and use it. Where things are:
//
//	start.go         the order of things: what is started, waited for, and stopped
//	bundled.go       etcd and kube-apiserver inside this process
//	assets.go        the same as child processes, from $KUBEBUILDER_ASSETS (build tag "assets")
//	kwok.go          nodes, kubelets, logs
//	node.go          what the whole cluster of tests/e2e has beside this (build tag "node")
//	child.go         processes that end with this one
//	certificates.go  the two certificate authorities and what they sign
//	cluster.go       the kubeconfig, the manifests, and waiting until the API serves them
//	aggregated.go    an extension API server with the habits of the Coder one
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const usage = `usage: control-plane start --dir DIR [options] [-- KUBE-APISERVER-FLAG...]

Starts a control plane in DIR (made if it is not there), prints one line of JSON when all of it is ready, and runs until standard input
is closed or SIGTERM or SIGINT comes. A DIR of an earlier run is continued: same keys, objects and ports.

options:
`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(complaints, "control-plane:", err)
		os.Exit(1)
	}
}

// complaints is where our own errors go: the process's standard error, also after start has sent os.Stderr to a file.
var complaints = os.Stderr

func run(arguments []string) error {
	var options options
	var namespaces string
	flags := flag.NewFlagSet("control-plane", flag.ExitOnError)
	flags.StringVar(&options.dir, "dir", "", "folder for keys, data, logs and the kubeconfig")
	flags.IntVar(&options.port, "port", 0, "port of the API server; 0: the one DIR had before, else a free one")
	flags.StringVar(&options.address, "address", "", "address of this machine for real kubelets and their pods: the API server listens there, and there is no kwok")
	flags.BoolVar(&options.aggregated, "aggregated", false, "serve aggregation.coder.com from an extension API server instead of CRDs")
	flags.StringVar(&namespaces, "namespaces", "team-a,team-b", "with --aggregated: the namespaces that have a control plane; they are created")
	flags.IntVar(&options.workspaces, "workspaces", 25, "with --aggregated: workspaces in each namespace")
	flags.IntVar(&options.templates, "templates", 5, "with --aggregated: templates in each namespace")
	flags.Usage = func() {
		fmt.Fprint(complaints, usage)
		flags.PrintDefaults()
	}
	if len(arguments) == 0 || arguments[0] != "start" {
		flags.Usage()
		os.Exit(2)
	}
	_ = flags.Parse(arguments[1:]) // ExitOnError
	options.apiServerFlags = flags.Args()
	options.namespaces = strings.Split(namespaces, ",")
	if options.dir == "" {
		return fmt.Errorf("start needs --dir")
	}
	var err error
	if options.dir, err = filepath.Abs(options.dir); err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// A test that dies without a word, by SIGKILL too, closes our standard input: then nobody needs this control plane any more.
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	return start(ctx, options)
}
