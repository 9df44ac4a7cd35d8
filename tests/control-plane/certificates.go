package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// frontProxyName is the only client that may say on whose behalf it asks (--requestheader-allowed-names).
const frontProxyName = "front-proxy-client"

// keys of one control plane. `serving` signs what servers show, `frontProxy` what the API server shows an extension server.
type keys struct {
	serving, frontProxy, serviceAccount              pair
	apiServer, kubelet, aggregated, frontProxyClient pair
}

// pair names a private key, NAME.key, and a certificate, NAME.crt.
type pair struct{ name string }

func (pair pair) certificateFile() string { return pair.name + ".crt" }
func (pair pair) keyFile() string         { return pair.name + ".key" }

// clusterAddress of the API server: the first of --service-cluster-ip-range.
var clusterAddress = net.IPv4(10, 0, 0, 1)

// loadOrMakeKeys makes what is missing, so that a control plane that is started again has the keys of before.
func loadOrMakeKeys(dir, address string) (*keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	at := func(name string) pair { return pair{filepath.Join(dir, name)} }
	keys := &keys{
		serving: at("ca"), frontProxy: at("front-proxy-ca"), serviceAccount: at("service-account"),
		apiServer: at("apiserver"), kubelet: at("kubelet"), aggregated: at("aggregated"), frontProxyClient: at(frontProxyName),
	}
	local := []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"}
	return keys, errors.Join(
		keys.serving.makeAuthority("control-plane-ca"),
		keys.frontProxy.makeAuthority("front-proxy-ca"),
		keys.serviceAccount.makeAuthority("service-account"), // of which only the key is used
		keys.apiServer.makeLeaf(keys.serving, "kube-apiserver", local, clusterAddress, net.ParseIP(address)),
		keys.kubelet.makeLeaf(keys.serving, "kubelet", []string{"localhost"}),
		keys.aggregated.makeLeaf(keys.serving, "aggregated", []string{"localhost", aggregatedHost}),
		keys.frontProxyClient.makeLeaf(keys.frontProxy, frontProxyName, nil),
	)
}

func (pair pair) makeAuthority(commonName string) error {
	return pair.make(nil, &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		IsCA:                  true,
		BasicConstraintsValid: true,
	})
}

// makeLeaf: with names a server on loopback and, where not nil, other addresses; without a client.
func (pair pair) makeLeaf(authority pair, commonName string, names []string, addresses ...net.IP) error {
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: commonName},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if names != nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		template.DNSNames = names
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
		for _, address := range addresses {
			if address != nil {
				template.IPAddresses = append(template.IPAddresses, address)
			}
		}
	}
	return pair.make(&authority, template)
}

// make signs template with the authority, or with its own key where there is none. It leaves a pair alone that is there.
func (pair pair) make(authority *pair, template *x509.Certificate) error {
	if _, err := os.Stat(pair.certificateFile()); err == nil {
		return nil
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return err
	}
	template.SerialNumber = serial
	template.NotBefore = time.Now().Add(-time.Hour)
	template.NotAfter = time.Now().AddDate(1, 0, 0)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	parent, signer := template, crypto.Signer(key)
	if authority != nil {
		if parent, signer, err = authority.load(); err != nil {
			return err
		}
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return err
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	// The certificate last: where it is, the pair is whole.
	return errors.Join(
		writePEM(pair.keyFile(), "EC PRIVATE KEY", private),
		writePEM(pair.certificateFile(), "CERTIFICATE", certificate),
	)
}

func (pair pair) load() (*x509.Certificate, crypto.Signer, error) {
	certificate, err := readPEM(pair.certificateFile())
	if err != nil {
		return nil, nil, err
	}
	private, err := readPEM(pair.keyFile())
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err := x509.ParseECPrivateKey(private)
	return parsed, key, err
}

func writePEM(file, kind string, der []byte) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

func readPEM(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", file)
	}
	return block.Bytes, nil
}
