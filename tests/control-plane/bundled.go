//go:build !assets

package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"time"

	"github.com/spf13/pflag"
	"go.etcd.io/etcd/server/v3/embed"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

// startEtcd returns when etcd answers.
func startEtcd(dir string, _ context.CancelCauseFunc) (stop func(), err error) {
	config := embed.NewConfig()
	config.Dir = dir
	config.LogOutputs = []string{"etcd.log"}
	config.LogLevel = "warn"
	// The data has to outlive this process, not the machine.
	config.UnsafeNoFsync = true
	client, peer := mustURL(etcdURL), mustURL(etcdPeerURL)
	config.ListenClientUrls, config.AdvertiseClientUrls = client, client
	config.ListenPeerUrls, config.AdvertisePeerUrls = peer, peer
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return etcd.Close, nil
	case <-time.After(startBudget):
		etcd.Close()
		return nil, errors.New("not ready in time, see etcd.log")
	}
}

// serveAPI runs kube-apiserver on the listener until ctx is done, and for at most drainBudget longer. Once only in a process: it
// registers globals.
func serveAPI(ctx context.Context, listener net.Listener, arguments []string) error {
	options := apiserver.NewServerRunOptions()
	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	for _, group := range options.Flags().FlagSets {
		flags.AddFlagSet(group)
	}
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	options.SecureServing.Listener = listener
	if err := options.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return err
	}
	completed, err := options.Complete(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(completed.Validate()...); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx, completed) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	select {
	case <-ended:
	case <-time.After(drainBudget):
	}
	return nil
}

func mustURL(text string) []url.URL {
	parsed, err := url.Parse(text)
	if err != nil {
		panic(err)
	}
	return []url.URL{*parsed}
}
