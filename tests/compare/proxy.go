package main

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"time"
)

// mode is how an API server is.
type mode int

const (
	well mode = iota
	slow
	silent
	throttling
	unavailable
	gone
)

// delay is what a slow API server takes for each answer.
const delay = 5 * time.Second

// proxy stands before the API server, with its certificate, and can be unwell in its place.
type proxy struct {
	address string
	config  *tls.Config
	forward http.Handler
	lock    sync.Mutex
	mode    mode
	changed chan struct{} // closed when the mode changes
	server  *http.Server
}

func (c *cluster) proxied() *proxy {
	pki := filepath.Dir(c.ca)
	certificate := must(tls.LoadX509KeyPair(filepath.Join(pki, "apiserver.crt"), filepath.Join(pki, "apiserver.key")))
	forward := httputil.NewSingleHostReverseProxy(must(url.Parse(c.server)))
	forward.Transport = c.http.Transport
	forward.ErrorLog = log.New(io.Discard, "", 0)
	proxy := &proxy{forward: forward, config: &tls.Config{Certificates: []tls.Certificate{certificate}}, changed: make(chan struct{})}
	proxy.serve(must(net.Listen("tcp", "127.0.0.1:0")))
	return proxy
}

func (p *proxy) serve(listener net.Listener) {
	p.address = listener.Addr().String()
	p.server = &http.Server{Handler: p, TLSConfig: p.config, ErrorLog: log.New(io.Discard, "", 0)}
	go func(server *http.Server) { _ = server.ServeTLS(listener, "", "") }(p.server)
}

// back listens where it did before. Somebody's connection may have that port for a while.
func (p *proxy) back() {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		listener, err := net.Listen("tcp", p.address)
		if err == nil {
			p.serve(listener)
			return
		}
		if time.Now().After(end) {
			panic(err)
		}
	}
}

func (p *proxy) stop() { _ = p.server.Close() }

// set changes how the API server is. Where it is gone, nobody listens, and all connections have ended.
func (p *proxy) set(mode mode) {
	p.lock.Lock()
	before := p.mode
	p.mode = mode
	close(p.changed)
	p.changed = make(chan struct{})
	p.lock.Unlock()
	if mode == gone {
		p.stop()
	} else if before == gone {
		p.back()
	}
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	p.lock.Lock()
	mode, changed := p.mode, p.changed
	p.lock.Unlock()
	switch mode {
	case slow:
		select {
		case <-time.After(delay):
		case <-changed:
		}
	case silent:
		select {
		case <-changed:
		case <-request.Context().Done():
			return
		}
	case throttling:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "TooManyRequests", "too many requests, please try again later")
		return
	case unavailable:
		refuse(w, http.StatusServiceUnavailable, "ServiceUnavailable", "the server is currently unable to handle the request")
		return
	}
	p.forward.ServeHTTP(w, request)
}

// refuse answers as an API server does.
func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_, _ = w.Write(must(json.Marshal(object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": message, "code": code})))
}
