package main

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

const (
	aggregatedGroup     = "aggregation.coder.com"
	aggregatedVersion   = "v1alpha1"
	aggregatedNamespace = "coder-system"
	aggregatedService   = "coder-k8s-apiserver"
	// aggregatedHost is the name that the API server wants to see in the certificate, wherever the Service leads.
	aggregatedHost = aggregatedService + "." + aggregatedNamespace + ".svc"
)

// extension is an API server behind the aggregation layer that makes up its objects. It has the habits of the Coder one that a client has
// to live with: a list ignores limit, continue and selectors; within a namespace it is ordered by last use, which moves from one request to
// the next; and a namespace without a control plane is a 503.
type extension struct {
	options options
	lists   atomic.Uint64
}

// startAggregated returns once the API server serves the group through the aggregation layer.
func startAggregated(ctx context.Context, cluster *cluster, keys *keys, options options, fail context.CancelCauseFunc) (*http.Server, error) {
	frontProxy, _, err := keys.frontProxy.load()
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	clients.AddCert(frontProxy)
	listener, err := net.Listen("tcp", loopback(0))
	if err != nil {
		return nil, err
	}
	server := &http.Server{
		Addr:    listener.Addr().String(),
		Handler: (&extension{options: options}).routes(),
		// Who asks has been checked by the API server. All there is to check is that it is the API server that asks.
		TLSConfig: &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients},
		ErrorLog:  log.New(os.Stderr, "aggregated: ", log.LstdFlags),
	}
	go func() {
		err := server.ServeTLS(listener, keys.aggregated.certificateFile(), keys.aggregated.keyFile())
		if !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("aggregated API: %w", err))
		}
	}()

	objects, err := parseManifest(registration(listener.Addr().(*net.TCPAddr).Port, keys.serving, options.namespaces))
	if err == nil {
		err = cluster.apply(ctx, objects...)
	}
	for _, plural := range []string{"coderworkspaces", "codertemplates"} {
		if err == nil {
			err = cluster.waitServed(ctx, schema.GroupVersionResource{Group: aggregatedGroup, Version: aggregatedVersion, Resource: plural})
		}
	}
	if err != nil {
		server.Close()
		return nil, err
	}
	return server, nil
}

// registration: an APIService, the Service that it names, which leads out of the cluster to the port, and the namespaces.
func registration(port int, authority pair, namespaces []string) []byte {
	certificate, _, err := authority.load()
	if err != nil {
		panic(err) // it has signed the certificate of this server
	}
	bundle := base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}))
	var text []byte
	for _, namespace := range slices.Concat([]string{aggregatedNamespace}, namespaces) {
		text = fmt.Appendf(text, "apiVersion: v1\nkind: Namespace\nmetadata: { name: %s }\n---\n", namespace)
	}
	return fmt.Appendf(text, `
apiVersion: v1
kind: Service
metadata: { name: %[1]s, namespace: %[2]s }
spec: { type: ExternalName, externalName: localhost, ports: [{ port: %[3]d }] }
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: { name: %[4]s.%[5]s }
spec:
  group: %[5]s
  version: %[4]s
  service: { name: %[1]s, namespace: %[2]s, port: %[3]d }
  groupPriorityMinimum: 1000
  versionPriority: 100
  caBundle: %[6]s
`, aggregatedService, aggregatedNamespace, port, aggregatedVersion, aggregatedGroup, bundle)
}

func (extension *extension) routes() http.Handler {
	version := metav1.GroupVersionForDiscovery{GroupVersion: aggregatedGroup + "/" + aggregatedVersion, Version: aggregatedVersion}
	group := metav1.APIGroup{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: aggregatedGroup,
		Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version,
	}
	resource := func(plural, singular, kind string) metav1.APIResource {
		return metav1.APIResource{Name: plural, SingularName: singular, Namespaced: true, Kind: kind, Verbs: metav1.Verbs{"get", "list"}}
	}
	always := func(body any) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, body) }
	}
	root := "GET /apis/" + version.GroupVersion
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis", always(metav1.APIGroupList{
		TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{group},
	}))
	mux.HandleFunc("GET /apis/"+aggregatedGroup, always(group))
	mux.HandleFunc(root, always(metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: version.GroupVersion,
		APIResources: []metav1.APIResource{
			resource("coderworkspaces", "coderworkspace", "CoderWorkspace"), resource("codertemplates", "codertemplate", "CoderTemplate"),
		},
	}))
	mux.HandleFunc(root+"/{plural}", extension.list)
	mux.HandleFunc(root+"/namespaces/{namespace}/{plural}", extension.list)
	mux.HandleFunc(root+"/namespaces/{namespace}/{plural}/{name}", extension.get)
	return mux
}

func (extension *extension) list(w http.ResponseWriter, request *http.Request) {
	namespaces := extension.options.namespaces
	if namespace := request.PathValue("namespace"); namespace != "" {
		if err := extension.checkControlPlane(namespace); err != nil {
			refuse(w, err)
			return
		}
		namespaces = []string{namespace}
	}
	plural := request.PathValue("plural")
	count, make, ok := extension.kind(plural)
	if !ok {
		http.NotFound(w, request)
		return
	}
	if watch := request.URL.Query().Get("watch"); watch != "" && watch != "false" {
		refuse(w, apierrors.NewMethodNotSupported(schema.GroupResource{Group: aggregatedGroup, Resource: plural}, "watch"))
		return
	}
	// The same order for the n-th list of every run, and another one for each n.
	order := rand.New(rand.NewPCG(extension.lists.Add(1), 0))
	items := []any{}
	for _, namespace := range namespaces {
		for age, number := range order.Perm(count) {
			item := make(namespace, number)
			if plural == "coderworkspaces" {
				item["status"].(fields)["lastUsedAt"] = firstDay.AddDate(0, 1, 0).Add(-time.Duration(age) * time.Minute)
			}
			items = append(items, item)
		}
	}
	kind := map[string]string{"coderworkspaces": "CoderWorkspaceList", "codertemplates": "CoderTemplateList"}[plural]
	answer(w, http.StatusOK, fields{
		"kind": kind, "apiVersion": aggregatedGroup + "/" + aggregatedVersion, "metadata": fields{}, "items": items,
	})
}

func (extension *extension) get(w http.ResponseWriter, request *http.Request) {
	namespace, plural, name := request.PathValue("namespace"), request.PathValue("plural"), request.PathValue("name")
	if err := extension.checkControlPlane(namespace); err != nil {
		refuse(w, err)
		return
	}
	count, make, ok := extension.kind(plural)
	if !ok {
		http.NotFound(w, request)
		return
	}
	for number := range count {
		if item := make(namespace, number); item["metadata"].(fields)["name"] == name {
			if plural == "codertemplates" {
				item["spec"].(fields)["files"] = fields{"main.tf": "# the files come with a GET only\n"}
			}
			answer(w, http.StatusOK, item)
			return
		}
	}
	refuse(w, apierrors.NewNotFound(schema.GroupResource{Group: aggregatedGroup, Resource: plural}, name))
}

func (extension *extension) checkControlPlane(namespace string) *apierrors.StatusError {
	if slices.Contains(extension.options.namespaces, namespace) {
		return nil
	}
	return apierrors.NewServiceUnavailable(fmt.Sprintf("no eligible CoderControlPlane instances found in namespace %q", namespace))
}

type fields map[string]any

// uid looks like one, and is the same in every run.
func uid(namespace, what string, number int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%s/%d", namespace, what, number))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// firstDay is a fixed day: two runs serve the same objects.
var firstDay = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// kind: how many objects of that resource a namespace has, and the one with a number.
func (extension *extension) kind(plural string) (count int, make func(namespace string, number int) fields, ok bool) {
	switch plural {
	case "coderworkspaces":
		return extension.options.workspaces, workspace, true
	case "codertemplates":
		return extension.options.templates, template, true
	}
	return 0, nil, false
}

// workspace: those with an even number run, and are to stop by themselves.
func workspace(namespace string, number int) fields {
	running := number%2 == 0
	user := fmt.Sprintf("user-%d", number%7)
	status := fields{
		"id": uid(namespace, "workspace", number), "ownerName": user, "organizationName": "acme", "templateName": "template-0",
		"latestBuildID": uid(namespace, "build", number), "latestBuildStatus": "stopped",
		"lastUsedAt": firstDay,
	}
	if running {
		status["latestBuildStatus"] = "running"
		status["autoShutdown"] = firstDay.AddDate(0, 2, 0).Add(time.Duration(number) * time.Minute)
	}
	name := fmt.Sprintf("acme.%s.workspace-%05d", user, number)
	return object("CoderWorkspace", namespace, name, uid(namespace, "workspace", number),
		fields{"organization": "acme", "templateName": "template-0", "running": running, "ttlMillis": 8 * 3600 * 1000}, status)
}

func template(namespace string, number int) fields {
	version := uid(namespace, "version", number)
	return object("CoderTemplate", namespace, fmt.Sprintf("acme.template-%d", number), uid(namespace, "template", number),
		fields{
			"organization": "acme", "versionID": version, "displayName": fmt.Sprintf("Template %d", number),
			"description": "made up", "icon": "/icon/k8s.png", "running": number%2 == 0,
		},
		fields{
			"id": uid(namespace, "template", number), "organizationName": "acme", "activeVersionID": version,
			"deprecated": false, "updatedAt": firstDay,
		})
}

func object(kind, namespace, name, uid string, spec, status fields) fields {
	return fields{
		"kind": kind, "apiVersion": aggregatedGroup + "/" + aggregatedVersion,
		"metadata": fields{"name": name, "namespace": namespace, "uid": uid, "creationTimestamp": firstDay},
		"spec":     spec, "status": status,
	}
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, err *apierrors.StatusError) {
	status := err.Status()
	status.Kind, status.APIVersion = "Status", "v1"
	answer(w, int(status.Code), status)
}
