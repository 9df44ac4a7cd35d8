package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	kwokcrd "sigs.k8s.io/kwok/kustomize/crd"
)

// manifests/crds/GROUP.yaml are installed unless GROUP is served by the aggregated API; manifests/*.yaml where kwok plays the nodes.
//
//go:embed manifests
var manifests embed.FS

const (
	nodeName = "node-1"
	// fieldManager owns what we apply, so that a second start applies it again without conflicts.
	fieldManager = "control-plane"
	adminUser    = "admin"
)

// users by name; the token is NAME-token. Only admin may do anything: the others get from a test what it wants to see granted.
var users = []struct{ name, groups string }{{adminUser, "system:masters"}, {"viewer", ""}, {"narrow", ""}}

func token(user string) string { return user + "-token" }

func writeTokens(file string) error {
	var text strings.Builder
	for _, user := range users {
		fmt.Fprintf(&text, "%s,%s,%s", token(user.name), user.name, user.name)
		if user.groups != "" { // an empty column would be a group with the name ""
			fmt.Fprintf(&text, ",%q", user.groups)
		}
		text.WriteByte('\n')
	}
	return os.WriteFile(file, []byte(text.String()), 0o600)
}

// writeKubeconfig: one context for each user, under the user's name.
func writeKubeconfig(file, server string, keys *keys) error {
	authority, err := os.ReadFile(keys.serving.certificateFile())
	if err != nil {
		return err
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["control-plane"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: authority}
	for _, user := range users {
		config.AuthInfos[user.name] = &clientcmdapi.AuthInfo{Token: token(user.name)}
		config.Contexts[user.name] = &clientcmdapi.Context{Cluster: "control-plane", AuthInfo: user.name}
	}
	config.CurrentContext = adminUser
	return clientcmd.WriteToFile(*config, file)
}

// cluster is the API server, as the admin sees it.
type cluster struct {
	objects   dynamic.Interface
	discovery discovery.DiscoveryInterface
}

func connect(kubeconfig string) (*cluster, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	// No client-side throttling: it costs seconds, and nobody else is there yet.
	config.QPS = -1
	objects, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &cluster{objects, client}, nil
}

func (cluster *cluster) waitReady(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) error {
		return cluster.discovery.RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
}

// install applies the CRDs, waits until they are served, and applies the other manifests.
func (cluster *cluster) install(ctx context.Context, options options) error {
	var crds []*unstructured.Unstructured
	files, err := fs.ReadDir(manifests, "manifests/crds")
	if err != nil {
		return err
	}
	for _, file := range files {
		if options.aggregated && file.Name() == aggregatedGroup+".yaml" {
			continue
		}
		objects, err := readManifest(path.Join("manifests/crds", file.Name()))
		if err != nil {
			return err
		}
		crds = append(crds, objects...)
	}
	for _, text := range [][]byte{kwokcrd.Logs, kwokcrd.ClusterLogs, kwokcrd.PortForward, kwokcrd.ClusterPortForward} {
		objects, err := parseManifest(text)
		if err != nil {
			return err
		}
		crds = append(crds, objects...)
	}
	objects := crds
	if options.address == "" {
		node, err := readManifest("manifests/cluster.yaml")
		if err != nil {
			return err
		}
		objects = append(objects, node...)
	}
	if err := cluster.apply(ctx, objects...); err != nil {
		return err
	}
	for _, crd := range crds {
		group, _, _ := unstructured.NestedString(crd.Object, "spec", "group")
		plural, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "plural")
		versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
		version, _, _ := unstructured.NestedString(versions[0].(map[string]any), "name")
		if err := cluster.waitServed(ctx, schema.GroupVersionResource{Group: group, Version: version, Resource: plural}); err != nil {
			return err
		}
	}
	return nil
}

// apply is kubectl's server-side apply.
func (cluster *cluster) apply(ctx context.Context, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		// The guess holds for every kind that we apply; true discovery would be another wait.
		resource, _ := meta.UnsafeGuessKindToResource(object.GroupVersionKind())
		// Controllers write to the same objects, hence Force and a second try.
		err := eventually(ctx, func(ctx context.Context) error {
			_, err := cluster.objects.Resource(resource).Namespace(object.GetNamespace()).
				Apply(ctx, object.GetName(), object, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
			if apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) {
				return final{err}
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}

// waitServed: objects can be listed, and both kinds of discovery document name them. Each lags behind the other by itself.
func (cluster *cluster) waitServed(ctx context.Context, resource schema.GroupVersionResource) error {
	named := func(list *metav1.APIResourceList) bool {
		return list.GroupVersion == resource.GroupVersion().String() &&
			slices.ContainsFunc(list.APIResources, func(served metav1.APIResource) bool { return served.Name == resource.Resource })
	}
	err := eventually(ctx, func(ctx context.Context) error {
		if _, err := cluster.objects.Resource(resource).List(ctx, metav1.ListOptions{Limit: 1}); err != nil {
			return err
		}
		list, err := cluster.discovery.ServerResourcesForGroupVersion(resource.GroupVersion().String())
		if err != nil {
			return err
		}
		// Another group that cannot be asked right now is an error next to a good answer.
		_, lists, err := cluster.discovery.ServerGroupsAndResources()
		if !named(list) || !slices.ContainsFunc(lists, named) {
			return errors.Join(errors.New("not in discovery"), err)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s is not served: %w", resource.GroupResource(), err)
	}
	return nil
}

// waitNodeReady: kwok has seen the node and given it an address.
func (cluster *cluster) waitNodeReady(ctx context.Context) error {
	nodes := cluster.objects.Resource(schema.GroupVersionResource{Version: "v1", Resource: "nodes"})
	return eventually(ctx, func(ctx context.Context) error {
		node, err := nodes.Get(ctx, nodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(node.Object, "status", "conditions")
		for _, condition := range conditions {
			if condition, ok := condition.(map[string]any); ok && condition["type"] == "Ready" && condition["status"] == "True" {
				return nil
			}
		}
		return fmt.Errorf("node %s is not ready", nodeName)
	})
}

func readManifest(file string) ([]*unstructured.Unstructured, error) {
	text, err := manifests.ReadFile(file)
	if err != nil {
		return nil, err
	}
	objects, err := parseManifest(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return objects, nil
}

func parseManifest(text []byte) (objects []*unstructured.Unstructured, err error) {
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if object.Object != nil {
			objects = append(objects, object)
		}
	}
}
