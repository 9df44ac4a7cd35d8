package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"
)

const (
	events   = 3000
	logLines = 120_000
	logLine  = 100 // bytes, its end included
)

// cluster is a real API server with what is asked about: in namespace pods-N are N pods, in `events` the events, and in `logs` the pod
// `loud` has a log.
type cluster struct {
	command                *exec.Cmd
	leash                  io.Closer
	kubeconfig, ca, server string
	http                   *http.Client
}

func startCluster(programs, folder string) *cluster {
	command := exec.Command(filepath.Join(programs, "control-plane"), "start", "--dir", filepath.Join(folder, "control-plane"))
	command.Stderr = os.Stderr
	leash, output := must(command.StdinPipe()), must(command.StdoutPipe())
	check(command.Start())
	var started struct{ Kubeconfig, Server, CA string }
	check(json.Unmarshal(must(bufio.NewReader(output).ReadBytes('\n')), &started))
	authorities := x509.NewCertPool()
	authorities.AppendCertsFromPEM(must(os.ReadFile(started.CA)))
	// One connection for each request at a time, as it is from a server to an API server by HTTP/1.1.
	transport := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true, TLSClientConfig: &tls.Config{RootCAs: authorities}}
	return &cluster{command, leash, started.Kubeconfig, started.CA, started.Server, &http.Client{Transport: transport}}
}

func (c *cluster) stop() {
	_ = c.leash.Close()
	_ = c.command.Wait()
}

// send makes a request of the API server and reads all of its answer.
func (c *cluster) send(method, path string, object any) ([]byte, error) {
	var body io.Reader
	if object != nil {
		body = bytes.NewReader(must(json.Marshal(object)))
	}
	request := must(http.NewRequest(method, c.server+path, body))
	request.Header = http.Header{"Authorization": {"Bearer admin-token"}, "Content-Type": {"application/json"}}
	if method == http.MethodPatch {
		request.Header.Set("Content-Type", "application/merge-patch+json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode > 299 {
		err = fmt.Errorf("%s %s: %s: %.300s", method, path, response.Status, answer)
	}
	return answer, err
}

func (c *cluster) create(path string, object any) {
	must(c.send(http.MethodPost, path, object))
}

type object = map[string]any

func (c *cluster) fill(pods []int) {
	namespaces := []string{"events", "logs"}
	for _, count := range pods {
		namespaces = append(namespaces, fmt.Sprintf("pods-%d", count))
	}
	for _, name := range namespaces {
		c.create("/api/v1/namespaces", object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": name}})
	}
	for _, count := range pods {
		path := fmt.Sprintf("/api/v1/namespaces/pods-%d/pods", count)
		atOnce(count, func(number int) {
			name := fmt.Sprintf("web-7d9c5b8f6d-%05d", number)
			c.create(path, pod(name, "node-2"))
			// kwok plays node-1 alone, so these have the status that they are given.
			must(c.send(http.MethodPatch, path+"/"+name+"/status", object{"status": status(number)}))
		})
	}
	atOnce(events, func(number int) {
		c.create("/api/v1/namespaces/events/events", object{
			"apiVersion": "v1", "kind": "Event", "metadata": object{"name": fmt.Sprintf("web-%05d.17f3a", number)},
			"involvedObject": object{"kind": "Pod", "namespace": "events", "name": fmt.Sprintf("web-7d9c5b8f6d-%05d", number)},
			"type":           "Warning", "reason": "BackOff", "message": "Back-off restarting failed container app in pod web",
			"firstTimestamp": "2026-11-20T09:00:00Z", "lastTimestamp": "2026-11-20T10:00:00Z", "count": 3,
			"source": object{"component": "kubelet", "host": "node-1"},
		})
	})
	var log bytes.Buffer
	for number := range logLines {
		text := fmt.Sprintf("level=info line=%06d method=GET path=/api/v1/customers/%d/orders status=200 duration=%dms", number, number*7919%10000, number%400)
		fmt.Fprintf(&log, "2026-11-22T16:02:08.123456789Z stdout F %-*s\n", logLine-1, text)
	}
	file := filepath.Join(filepath.Dir(c.kubeconfig), "loud.log")
	check(os.WriteFile(file, log.Bytes(), 0o600))
	c.create("/apis/kwok.x-k8s.io/v1alpha1/namespaces/logs/logs", object{
		"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Logs", "metadata": object{"name": "loud"},
		"spec": object{"logs": []object{{"logsFile": file}}},
	})
	c.create("/api/v1/namespaces/logs/pods", pod("loud", "node-1"))
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if tail, err := c.send(http.MethodGet, "/api/v1/namespaces/logs/pods/loud/log?tailLines=1", nil); err == nil && len(tail) > 0 {
			return
		} else if time.Now().After(end) {
			panic(fmt.Sprint("the pod with the log does not run: ", err))
		}
	}
}

// settle waits until the API server has nothing more to do with what it was given, a minute at most.
func (c *cluster) settle() {
	const busy = 0.1 // processors
	for range 60 {
		before := computed(c.command.Process.Pid)
		time.Sleep(time.Second)
		if computed(c.command.Process.Pid)-before < busy {
			return
		}
	}
}

// atOnce does something for each number, 32 at once.
func atOnce(count int, work func(int)) {
	numbers := make(chan int)
	var all sync.WaitGroup
	for range min(32, count) {
		all.Go(func() {
			for number := range numbers {
				work(number)
			}
		})
	}
	for number := range count {
		numbers <- number
	}
	close(numbers)
	all.Wait()
}

// pod is one as people have them: probes, resources, a volume, an owner.
func pod(name, node string) object {
	probe := func(path string) object {
		return object{"httpGet": object{"path": path, "port": 8080}, "periodSeconds": 10, "timeoutSeconds": 2}
	}
	return object{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": object{
			"name": name, "labels": object{"app": "web", "pod-template-hash": "7d9c5b8f6d"},
			"ownerReferences": []object{{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-7d9c5b8f6d", "uid": "0b2f5c1e-6d1c-4a55-9d3b-3f1d2c4b5a69", "controller": true}},
		},
		"spec": object{
			"nodeName": node,
			"containers": []object{{
				"name": "app", "image": "registry.example.com/team/app:1.24.3",
				"env":            []object{{"name": "LOG_LEVEL", "value": "info"}, {"name": "PORT", "value": "8080"}, {"name": "REGION", "value": "eu-central-1"}},
				"ports":          []object{{"name": "http", "containerPort": 8080}},
				"resources":      object{"requests": object{"cpu": "100m", "memory": "128Mi"}, "limits": object{"memory": "256Mi"}},
				"livenessProbe":  probe("/healthz"),
				"readinessProbe": probe("/ready"),
				"volumeMounts":   []object{{"name": "settings", "mountPath": "/etc/app"}},
			}},
			"volumes": []object{{"name": "settings", "configMap": object{"name": "settings"}}},
		},
	}
}

func status(number int) object {
	const since = "2026-11-20T10:00:00Z"
	conditions := []object{}
	for _, kind := range []string{"Initialized", "Ready", "ContainersReady", "PodScheduled"} {
		conditions = append(conditions, object{"type": kind, "status": "True", "lastTransitionTime": since})
	}
	address := fmt.Sprintf("10.1.%d.%d", number/250, number%250+1)
	return object{
		"phase": "Running", "startTime": since, "podIP": address, "podIPs": []object{{"ip": address}}, "hostIP": "10.0.0.2", "conditions": conditions,
		"containerStatuses": []object{{
			"name": "app", "ready": true, "started": true, "restartCount": number % 3, "image": "registry.example.com/team/app:1.24.3",
			"imageID": "registry.example.com/team/app@sha256:9b2d", "containerID": "containerd://4f1c", "state": object{"running": object{"startedAt": since}},
		}},
	}
}
