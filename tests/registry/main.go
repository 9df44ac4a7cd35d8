// A registry in memory, for tests: that of go-containerregistry, behind a login where one is asked for. It listens on a free port of
// 127.0.0.1 or of another address, prints where that is, and ends when its standard input does.
package main

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	referrers := flag.Bool("referrers", true, "answer which artifacts refer to another one")
	login := flag.String("login", "", "`NAME:PASSWORD` that is asked for")
	tokens := flag.Bool("tokens", false, "ask for a token, which the login is exchanged for, in place of the login itself")
	flag.Parse()

	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	inner := registry.New(registry.WithReferrersSupport(*referrers), registry.Logger(log.New(io.Discard, "", 0)))
	own := listener.Addr().String()
	door := &door{address: own, login: *login, tokens: *tokens, inner: inner, scopes: map[string]string{}}
	fmt.Println(own)
	go func() { log.Fatal(http.Serve(listener, door)) }()
	io.Copy(io.Discard, os.Stdin)
}

// door lets in who has logged in.
type door struct {
	address string
	login   string
	tokens  bool
	inner   http.Handler

	mutex sync.Mutex
	// scopes are what each token is for.
	scopes map[string]string
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case d.login == "":
		d.inner.ServeHTTP(w, r)
	case !d.tokens:
		if d.hasLoggedIn(r) {
			d.inner.ServeHTTP(w, r)
			return
		}
		d.refuse(w, `Basic realm="registry"`)
	case r.URL.Path == "/token":
		d.token(w, r)
	default:
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if d.allows(token, r) {
			d.inner.ServeHTTP(w, r)
			return
		}
		d.refuse(w, fmt.Sprintf(`Bearer realm="http://%s/token",service="registry",scope=%q`, d.address, needs(r)))
	}
}

func (d *door) hasLoggedIn(r *http.Request) bool {
	name, password, _ := r.BasicAuth()
	return subtle.ConstantTimeCompare([]byte(name+":"+password), []byte(d.login)) == 1
}

func (d *door) refuse(w http.ResponseWriter, challenge string) {
	w.Header().Set("WWW-Authenticate", challenge)
	w.WriteHeader(http.StatusUnauthorized)
	io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"log in"}]}`)
}

// token exchanges a login for a token.
func (d *door) token(w http.ResponseWriter, r *http.Request) {
	if !d.hasLoggedIn(r) || r.FormValue("service") != "registry" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	token := rand.Text()
	d.mutex.Lock()
	d.scopes[token] = r.FormValue("scope")
	d.mutex.Unlock()
	json.NewEncoder(w).Encode(map[string]any{"token": token, "expires_in": 60})
}

// needs is the scope of a request: `repository:NAME:pull`.
func needs(r *http.Request) string {
	name := strings.TrimPrefix(r.URL.Path, "/v2/")
	for _, kind := range []string{"/manifests/", "/blobs/", "/referrers/", "/tags/"} {
		if at := strings.LastIndex(name, kind); at >= 0 {
			name = name[:at]
		}
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return fmt.Sprintf("repository:%s:pull", name)
	}
	return fmt.Sprintf("repository:%s:pull,push", name)
}

func (d *door) allows(token string, r *http.Request) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	scope, known := d.scopes[token]
	needed := needs(r)
	return known && (scope == needed || strings.HasPrefix(scope, needed+","))
}
