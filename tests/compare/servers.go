package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"sandbar/tests/compare/page"
)

// server is one that is compared: how it is started for a kubeconfig, as its own documentation says, so that it only reads.
type server struct {
	page.Server
	command func(address, kubeconfig string) *exec.Cmd
}

// neighbours are Sandbar, which stands first, and the others.
func (r *run) neighbours() []server {
	peers := func(path string) string { return filepath.Join(r.peers, path) }
	return []server{
		{
			page.Server{Name: "Sandbar", What: "Rust, tools in WebAssembly", Started: "sandbar serve --packs coder,kubernetes --calls-per-second 1000000"},
			func(address, kubeconfig string) *exec.Cmd {
				return r.serve(address, kubeconfig, "--packs", "coder,kubernetes")
			},
		},
		{
			page.Server{Name: "kubernetes-mcp-server", What: "Go, from npm", Started: "kubernetes-mcp-server --read-only --stateless --port PORT"},
			func(address, kubeconfig string) *exec.Cmd {
				return r.program(kubeconfig, peers("kubernetes-mcp-server"), "--read-only", "--stateless", "--bind-address", "127.0.0.1", "--port", port(address))
			},
		},
		{
			page.Server{Name: "mcp-server-kubernetes", What: "Node.js around kubectl, from npm", Started: "ALLOW_ONLY_READONLY_TOOLS=true ENABLE_UNSAFE_STREAMABLE_HTTP_TRANSPORT=1 mcp-server-kubernetes"},
			func(address, kubeconfig string) *exec.Cmd {
				command := r.program(kubeconfig, peers("node"), peers("node_modules/mcp-server-kubernetes/dist/index.js"))
				command.Env = append(command.Env, "ALLOW_ONLY_READONLY_TOOLS=true", "ENABLE_UNSAFE_STREAMABLE_HTTP_TRANSPORT=1", "HOST=127.0.0.1", "PORT="+port(address))
				return command
			},
		},
		{
			page.Server{Name: "kubectl-mcp-server", What: "Python around kubectl, from PyPI", Started: "kubectl-mcp-server serve --read-only --transport http"},
			func(address, kubeconfig string) *exec.Cmd {
				command := r.program(kubeconfig, "python3", peers("python/bin/kubectl-mcp"), "serve", "--read-only", "--transport", "http", "--port", port(address))
				command.Env = append(command.Env, "PYTHONPATH="+peers("python"))
				return command
			},
		},
	}
}

// serve is Sandbar with more arguments. Its compiled components are there from the second start on.
func (r *run) serve(address, kubeconfig string, arguments ...string) *exec.Cmd {
	cache := filepath.Join(r.folder, "components")
	arguments = append([]string{"serve", "--cluster", "kubeconfig:admin", "--listen", address, "--cache-dir", cache, "--calls-per-second", "1000000"}, arguments...)
	return r.program(kubeconfig, r.sandbar, arguments...)
}

// program is a command with kubectl on its PATH and a home of its own, where kubectl keeps what discovery has found.
func (r *run) program(kubeconfig, name string, arguments ...string) *exec.Cmd {
	command := exec.Command(name, arguments...)
	command.Env = []string{"PATH=" + r.programs + ":" + os.Getenv("PATH"), "HOME=" + r.folder, "KUBECONFIG=" + kubeconfig}
	return command
}

func port(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}

// start starts a server and waits until it answers; the client has begun a session.
func (r *run) start(server server, kubeconfig string) (*process, *client) {
	address := freeAddress()
	return r.begin(server.command(address, kubeconfig), address, server.Name)
}

func (r *run) begin(command *exec.Cmd, address, name string) (*process, *client) {
	log := filepath.Join(r.folder, name+".log")
	process := start(command, address, log)
	client := newClient(address, r.patience)
	for end := time.Now().Add(time.Minute); ; time.Sleep(2 * time.Millisecond) {
		err := client.initialize()
		if err == nil {
			return process, client
		}
		if !process.runs() || time.Now().After(end) {
			panic(fmt.Sprintf("%s does not start: %v: %s", name, err, must(os.ReadFile(log))))
		}
	}
}

// about says what is compared, and on what.
func (r *run) about() page.Results {
	results := page.Results{Machine: r.machine()}
	for index := range r.servers {
		server := &r.servers[index]
		process, client := r.start(*server, r.cluster.kubeconfig)
		server.Version = client.version
		process.stop()
		results.Servers = append(results.Servers, server.Server)
	}
	return results
}
