package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	nodestages "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	podstages "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
)

// kwokTries: between finding a free port and kwok binding it, another process can take it.
const kwokTries = 5

type kwok struct {
	*child
	port int
}

// startKwok returns once kwok serves logs and has played the node. `port` 0: a free one. Calls `fail` if kwok ends later on.
func startKwok(ctx context.Context, cluster *cluster, keys *keys, port int, fail context.CancelCauseFunc) (*kwok, error) {
	stages := []string{nodestages.DefaultNodeInit, podstages.DefaultPodReady, podstages.DefaultPodComplete, podstages.DefaultPodDelete}
	if err := os.WriteFile("kwok.yaml", []byte(strings.Join(stages, "\n---\n")), 0o600); err != nil {
		return nil, err
	}
	var kwok *kwok
	for try := 1; ; try++ {
		var err error
		if kwok, err = launchKwok(ctx, keys, port); err == nil {
			break
		}
		if port != 0 || try == kwokTries || ctx.Err() != nil {
			return nil, err
		}
	}
	kwok.failWhenExited("kwok", fail)
	if err := cluster.waitNodeReady(ctx); err != nil {
		kwok.stop()
		return nil, err
	}
	return kwok, nil
}

func launchKwok(ctx context.Context, keys *keys, port int) (*kwok, error) {
	if port == 0 {
		listener, err := net.Listen("tcp", loopback(0))
		if err != nil {
			return nil, err
		}
		port = listener.Addr().(*net.TCPAddr).Port
		listener.Close()
	}
	// build.sh puts the two programs side by side.
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	child, err := launch(filepath.Join(filepath.Dir(self), "kwok"), "kwok",
		"--kubeconfig=kubeconfig",
		"--config=kwok.yaml",
		"--manage-all-nodes",
		// Logs objects in the API say which file is whose log, and PortForward objects where a port of a pod leads, so a test adds one
		// while all of this runs.
		"--enable-crds=Logs,ClusterLogs,PortForward,ClusterPortForward",
		"--node-ip=127.0.0.1",
		fmt.Sprintf("--node-port=%d", port),
		"--server-address="+loopback(port),
		"--tls-cert-file="+keys.kubelet.certificateFile(),
		"--tls-private-key-file="+keys.kubelet.keyFile(),
		// With leases, a kwok that is started again waits until the ones of its forerunner run out.
		"--node-lease-duration-seconds=0",
	)
	if err != nil {
		return nil, err
	}
	kwok := &kwok{child: child, port: port}
	if err := kwok.waitHealthy(ctx, keys); err != nil {
		kwok.stop()
		return nil, fmt.Errorf("on port %d, see kwok.log: %w", port, err)
	}
	return kwok, nil
}

// waitHealthy checks the certificate too: another program on the same port does not pass for kwok.
func (kwok *kwok) waitHealthy(ctx context.Context, keys *keys) error {
	authority, _, err := keys.serving.load()
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AddCert(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, Timeout: time.Second}
	alive, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-kwok.exited:
			cancel()
		case <-alive.Done():
		}
	}()
	return eventually(alive, func(context.Context) error {
		answer, err := client.Get("https://" + loopback(kwok.port) + "/healthz")
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("/healthz answers %s", answer.Status)
		}
		return nil
	})
}
