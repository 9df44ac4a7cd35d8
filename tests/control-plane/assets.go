//go:build assets

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
)

// asset is a program in the folder that envtest users have: some version of kube-apiserver and etcd, built by somebody else.
func asset(name string) (string, error) {
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		return "", errors.New("KUBEBUILDER_ASSETS is not set, and this control-plane was built to use it")
	}
	return filepath.Join(folder, name), nil
}

// startEtcd does not wait: kube-apiserver tries until etcd answers.
func startEtcd(dir string, fail context.CancelCauseFunc) (stop func(), err error) {
	program, err := asset("etcd")
	if err != nil {
		return nil, err
	}
	etcd, err := launch(program, "etcd",
		"--data-dir="+dir,
		"--log-level=warn",
		"--unsafe-no-fsync",
		"--listen-client-urls="+etcdURL, "--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+etcdPeerURL, "--initial-advertise-peer-urls="+etcdPeerURL,
		"--initial-cluster=default="+etcdPeerURL,
	)
	if err != nil {
		return nil, err
	}
	etcd.failWhenExited("etcd", fail)
	return etcd.stop, nil
}

// serveAPI gives the port back and lets the child take it: a listener cannot be handed over on a command line.
func serveAPI(ctx context.Context, listener net.Listener, arguments []string) error {
	runtime.LockOSThread() // for good: see launch
	program, err := asset("kube-apiserver")
	if err != nil {
		return err
	}
	if err := listener.Close(); err != nil {
		return err
	}
	server, err := launch(program, "kube-apiserver", arguments...)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		server.stop()
		return nil
	case <-server.exited:
		return fmt.Errorf("has ended (%s), see kube-apiserver.log", server.command.ProcessState)
	}
}
