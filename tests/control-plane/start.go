package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

const (
	// startBudget bounds the whole start; on two busy cores it takes some 5 seconds.
	startBudget = 2 * time.Minute
	// pollInterval is how often a condition is asked for while waiting.
	pollInterval = 25 * time.Millisecond
	// drainBudget is what a server gets to end its requests and itself. Tests hold watches open and do not want to wait for them.
	drainBudget = 500 * time.Millisecond
)

type options struct {
	dir            string
	port           int
	address        string // of the machine, for real kubelets; "": loopback, and kwok
	aggregated     bool
	namespaces     []string
	workspaces     int
	templates      int
	apiServerFlags []string
}

// memory is kept in DIR, so that a control plane that is started again is found where it was: by its clients, and by the node objects
// that name the kubelet port.
type memory struct {
	APIServerPort int  `json:"apiServerPort"`
	KubeletPort   int  `json:"kubeletPort"`
	Aggregated    bool `json:"aggregated"`
}

// started is the line on standard output. All paths are absolute.
type started struct {
	Kubeconfig   string `json:"kubeconfig"`
	Server       string `json:"server"`
	CA           string `json:"ca"`
	FrontProxyCA string `json:"frontProxyCA"`
	// ServiceAccountKey signs the tokens of pods.
	ServiceAccountKey string `json:"serviceAccountKey"`
	// Node and KubeletPort are kwok's, absent with --address.
	Node        string `json:"node,omitempty"`
	KubeletPort int    `json:"kubeletPort,omitempty"`
	// Aggregated is the address of the extension API server, absent without --aggregated.
	Aggregated string `json:"aggregated,omitempty"`
}

// start runs until ctx is done, or until one of the servers fails.
func start(ctx context.Context, options options) (err error) {
	if err := os.MkdirAll(options.dir, 0o700); err != nil {
		return err
	}
	// From inside DIR the socket of etcd has a short relative name; absolute ones must not be longer than some 100 bytes.
	if err := os.Chdir(options.dir); err != nil {
		return err
	}
	// Whatever the embedded servers log belongs into a file, not between the lines of a test run.
	logFile, err := os.OpenFile("control-plane.log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	os.Stderr = logFile
	defer func() {
		if err != nil {
			err = fmt.Errorf("%w (logs are in %s)", err, options.dir)
		}
	}()

	keys, err := loadOrMakeKeys("pki", options.address)
	if err != nil {
		return err
	}
	memory, err := recall(options)
	if err != nil {
		return err
	}
	// Bound here and handed over, so nobody else can take the port in between.
	listener, err := net.Listen("tcp", options.listen(memory.APIServerPort))
	if err != nil {
		return err
	}
	memory.APIServerPort = listener.Addr().(*net.TCPAddr).Port
	server := "https://" + listener.Addr().String()
	if err := writeKubeconfig("kubeconfig", server, keys); err != nil {
		return err
	}
	if err := writeTokens("tokens.csv"); err != nil {
		return err
	}

	// The servers run until we return; the first of them to end ends all.
	running, fail := context.WithCancelCause(context.Background())
	defer fail(nil)
	starting, cancel := context.WithTimeout(ctx, startBudget)
	defer cancel()
	defer context.AfterFunc(running, cancel)()

	stopEtcd, err := startEtcd("etcd", fail)
	if err != nil {
		return fmt.Errorf("etcd: %w", err)
	}
	defer stopEtcd()

	apiServer := make(chan struct{})
	serving, drain := context.WithCancel(running)
	arguments := apiServerFlags(memory.APIServerPort, keys)
	if options.address == "" {
		arguments = append(arguments, apiServerFlagsWithoutPods...)
	} else {
		arguments = append(arguments, "--bind-address="+options.address, "--advertise-address="+options.address)
	}
	arguments = append(arguments, options.apiServerFlags...)
	go func() {
		defer close(apiServer)
		if err := serveAPI(serving, listener, arguments); err != nil {
			fail(fmt.Errorf("kube-apiserver: %w", err))
		}
	}()
	defer func() {
		drain()
		<-apiServer
	}()

	cluster, err := connect("kubeconfig")
	if err != nil {
		return err
	}
	result := started{
		Kubeconfig:   filepath.Join(options.dir, "kubeconfig"),
		Server:       server,
		CA:           filepath.Join(options.dir, keys.serving.certificateFile()),
		FrontProxyCA: filepath.Join(options.dir, keys.frontProxy.certificateFile()),

		ServiceAccountKey: filepath.Join(options.dir, keys.serviceAccount.keyFile()),
	}
	if err := cluster.waitReady(starting); err != nil {
		return because(running, fmt.Errorf("the API server is not ready: %w", err))
	}
	if err := cluster.install(starting, options); err != nil {
		return because(running, err)
	}
	if options.address == "" {
		kwok, err := startKwok(starting, cluster, keys, memory.KubeletPort, fail)
		if err != nil {
			return because(running, fmt.Errorf("kwok: %w", err))
		}
		defer kwok.stop()
		memory.KubeletPort = kwok.port
		result.Node, result.KubeletPort = nodeName, kwok.port
	}

	if options.aggregated {
		extension, err := startAggregated(starting, cluster, keys, options, fail)
		if err != nil {
			return because(running, fmt.Errorf("aggregated API: %w", err))
		}
		defer extension.Close()
		result.Aggregated = "https://" + extension.Addr
	}
	if err := memory.save(); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		return err
	}

	select {
	case <-ctx.Done():
		return nil
	case <-running.Done():
		return context.Cause(running)
	}
}

// because prefers the failure of a server over the failure to reach it.
func because(running context.Context, err error) error {
	if cause := context.Cause(running); cause != nil {
		return cause
	}
	return err
}

func apiServerFlags(port int, keys *keys) []string {
	return []string{
		"--etcd-servers=" + etcdURL,
		fmt.Sprintf("--secure-port=%d", port),
		"--cert-dir=pki",
		"--tls-cert-file=" + keys.apiServer.certificateFile(),
		"--tls-private-key-file=" + keys.apiServer.keyFile(),
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + keys.serviceAccount.keyFile(),
		"--service-account-signing-key-file=" + keys.serviceAccount.keyFile(),
		"--token-auth-file=tokens.csv",
		"--authorization-mode=RBAC",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + keys.frontProxy.certificateFile(),
		"--requestheader-allowed-names=" + frontProxyName,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + keys.frontProxyClient.certificateFile(),
		"--proxy-client-key-file=" + keys.frontProxyClient.keyFile(),
		// The extension server is found by the name in its Service: there are no endpoints to route to.
		"--enable-aggregator-routing=false",
		"--profiling=false",
	}
}

var apiServerFlagsWithoutPods = []string{
	"--bind-address=127.0.0.1",
	// Without these two the server wants an address of the machine other than loopback, and fails where there is none.
	"--advertise-address=127.0.0.1",
	"--endpoint-reconciler-type=none",
	// No controller-manager makes service accounts here, and a pod without one would be refused.
	"--disable-admission-plugins=ServiceAccount",
}

const memoryFile = "control-plane.json"

// recall: where DIR is new, ports of zero, "take a free one".
func recall(options options) (memory memory, err error) {
	memory.Aggregated = options.aggregated
	text, err := os.ReadFile(memoryFile)
	if err == nil {
		err = json.Unmarshal(text, &memory)
	} else if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	if err == nil && memory.Aggregated != options.aggregated {
		// Its CRDs, or its APIService, are still there and would be in the way.
		err = errors.New("an earlier run differs in --aggregated: take another --dir")
	}
	if options.port != 0 {
		memory.APIServerPort = options.port
	}
	return memory, err
}

func (memory memory) save() error {
	text, err := json.Marshal(memory)
	if err != nil {
		return err
	}
	return os.WriteFile(memoryFile, text, 0o600)
}

func (options options) listen(port int) string {
	if options.address == "" {
		return loopback(port)
	}
	return net.JoinHostPort(options.address, strconv.Itoa(port))
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// final is an answer that asking again will not change.
type final struct{ error }

func (err final) Unwrap() error { return err.error }

// eventually asks until the answer is nil or final, and returns the last one when the time is up.
func eventually(ctx context.Context, ask func(context.Context) error) error {
	for {
		err := ask(ctx)
		if _, ok := err.(final); ok || err == nil {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(pollInterval):
		}
	}
}

// Names inside DIR, the working directory.
const (
	etcdURL     = "unix://etcd.sock"
	etcdPeerURL = "unix://etcd-peer.sock"
)
