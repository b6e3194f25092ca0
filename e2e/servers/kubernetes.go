package servers

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Kubernetes is a running API server of Kubernetes with an etcd of its own, and
// nothing else of a cluster: it takes and refuses objects as every cluster does,
// and nobody makes pods of them. Whoever asks it is its administrator.
type Kubernetes struct {
	*Running
	client *http.Client
}

// kubernetesToken is the password of the administrator. The server listens on
// the loopback interface, for as long as a test.
const kubernetesToken = "administrator"

// StartKubernetes starts etcd and an API server with its default admission, and
// waits until it is ready. flags are added to the API server's command line.
func StartKubernetes(t testing.TB, flags ...string) *Kubernetes {
	t.Helper()
	dir := t.TempDir()
	binary := Path(t, "kube-apiserver")
	etcd := startEtcd(t)
	roots := writeCertificate(t, dir)
	client := &http.Client{Timeout: 2 * time.Minute, Transport: withToken{&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}}
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte(kubernetesToken+`,test,test,"system:masters"`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	certificate, key := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	return &Kubernetes{Run(t, Process{
		Name:    "kube-apiserver",
		Ports:   1,
		Ready:   "/readyz",
		Client:  client,
		Timeout: 2 * Patience,
		Command: func(addrs []string) *exec.Cmd {
			return exec.Command(binary, append([]string{
				"--etcd-servers=" + etcd.URL(),
				"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + port(addrs[0]),
				"--cert-dir=" + dir, "--tls-cert-file=" + certificate, "--tls-private-key-file=" + key,
				"--token-auth-file=" + tokens, "--authorization-mode=RBAC",
				"--service-account-issuer=https://kubernetes.default.svc",
				"--service-account-key-file=" + key, "--service-account-signing-key-file=" + key,
				"--service-cluster-ip-range=10.0.0.0/24",
				// It would make itself known under an address that nobody reaches.
				"--endpoint-reconciler-type=none",
			}, flags...)...)
		},
	}), client}
}

func startEtcd(t testing.TB) *Running {
	t.Helper()
	binary := Path(t, "etcd")
	dir := t.TempDir()
	return Run(t, Process{
		Name:  "etcd",
		Ports: 2,
		Ready: "/readyz",
		Command: func(addrs []string) *exec.Cmd {
			clients, peers := "http://"+addrs[0], "http://"+addrs[1]
			return exec.Command(binary,
				"--data-dir="+dir, "--name=only", "--initial-cluster=only="+peers,
				"--listen-client-urls="+clients, "--advertise-client-urls="+clients,
				"--listen-peer-urls="+peers, "--initial-advertise-peer-urls="+peers,
				"--unsafe-no-fsync", // what it keeps ends with the test
			)
		},
	})
}

// Answer is what the API server says to a request.
type Answer struct {
	Status   int
	Body     []byte
	Warnings []string // the headers that kubectl prints
}

// Ask sends a request with body, and returns the answer, whatever its status is.
func (k *Kubernetes) Ask(t testing.TB, method, path, contentType string, body []byte) Answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, k.URL()+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", contentType)
	request.Header.Set("Accept", "application/json")
	response, err := k.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer := Answer{Status: response.StatusCode, Warnings: response.Header.Values("Warning")}
	if answer.Body, err = io.ReadAll(response.Body); err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// withToken asks as the administrator.
type withToken struct{ http.RoundTripper }

func (w withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+kubernetesToken)
	return w.RoundTripper.RoundTrip(r)
}

// writeCertificate makes server.crt and server.key in dir, which are those of
// the loopback interface, and returns who says so.
func writeCertificate(t testing.TB, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	for name, block := range map[string]*pem.Block{
		"server.crt": {Type: "CERTIFICATE", Bytes: der},
		"server.key": {Type: "EC PRIVATE KEY", Bytes: private},
	} {
		text := pem.EncodeToMemory(block)
		roots.AppendCertsFromPEM(text)
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(fmt.Errorf("the API server's certificate: %w", err))
		}
	}
	return roots
}
