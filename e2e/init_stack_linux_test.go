package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"html"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"golang.org/x/sys/unix"

	"github.com/latido-dev/latido/e2e/servers"
)

const (
	// here and elsewhere are the two ends of the cable between the servers' network
	// and that of the person who reads the mail.
	here, elsewhere = "10.99.0.1", "10.99.0.2"
	// watchHost is what that person calls the machine of the servers.
	watchHost = "vigia.example.com"

	smtpPassword = "of the mail server"
)

// bank is what a person adds to the service that init has made: a payment waits
// for the bank, and from a certain day on for long.
const bank = `package main

import (
	"os"
	"time"
)

func chargeCard() {
	if _, err := os.Stat(os.Getenv("BANK_IS_SLOW")); err == nil {
		askBank()
	}
}

//go:noinline
func askBank() { time.Sleep(3 * time.Second) }
`

// waitsAt is the function that the mail is to name.
const waitsAt = "main.askBank"

// TestInitStack is a new user's: latido init, the stack that it writes, in which
// one of the service's instances becomes slow. A mail comes to the mail server
// that the user named, with the password of .env; it says why and which instance
// it is, and all its links open from another machine.
func TestInitStack(t *testing.T) {
	t.Parallel()
	for _, instances := range []int{1, 3} {
		t.Run(fmt.Sprint(instances), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(built.dir, fmt.Sprint("init-stack-", instances))
			if os.Getenv(insideVariable) == "" {
				initStack(t, dir, instances)
			}
			names := map[string]string{"mail": "127.0.0.1", watchHost: here}
			for i := range instances {
				names[fmt.Sprint("tienda-api-", i+1)] = instanceAddr(i)
			}
			for name, addr := range everywhere {
				names[name] = addr
			}
			if inNamespace(t, names) {
				runInitStack(t, dir, instances)
			}
		})
	}
}

// instanceAddr is that of one of several instances, as a container has its own: no
// loopback address, where a service answers to no name but localhost.
func instanceAddr(i int) string { return fmt.Sprint("10.99.1.", i+1) }

// initStack types what a new user types, and builds the service.
func initStack(t *testing.T, dir string, instances int) {
	t.Helper()
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	edit := func(name, old, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(content), old) != 1 {
			t.Fatalf("%s is to have %q once", name, old)
		}
		write(t, path, []byte(strings.Replace(string(content), old, text, 1)))
	}
	binary := program(t, "cmd/latido")
	if out, err := exec.Command(binary, "init", "-kind", "ecommerce", "-dir", dir, "-notify", "guardia@example.com", "-smtp", "mail:25").CombinedOutput(); err != nil {
		t.Fatalf("latido init: %v\n%s", err, out)
	}
	edit("domain.yaml", "\nnotify:\n", fmt.Sprintf("\nlinks:\n  external_url: http://%[1]s:9466\n  prometheus: http://%[1]s:9090\n  alertmanager: http://%[1]s:9093\n  runbook: http://%[1]s:8000/runbook.md\nnotify:\n", watchHost))
	edit(".env", "\nSMTP_PASSWORD=\n", "\nSMTP_PASSWORD="+smtpPassword+"\n")
	edit(".env", "\n#SERVICE_FLAGS=-demo\n", "\nSERVICE_FLAGS=-demo\n")
	write(t, filepath.Join(dir, "bank.go"), []byte(bank))
	edit("routes.go", "\tevents.PagosIntentados(", "\tchargeCard()\n\tevents.PagosIntentados(")
	run(binary, "generate", "all")
	run(binary, "check")
	if instances > 1 {
		edit("deploy/prometheus/targets/tienda.yaml", "    - tienda-api:9464\n", "    - tienda-api-1:9464\n    - tienda-api-2:9464\n    - tienda-api-3:9464\n")
	}
	// How soon a cause is there is the machine's; that the first mail has it is ours.
	edit("deploy/alertmanager/alertmanager.yaml", "\n  group_wait: 10s\n", "\n  group_wait: 45s\n")
	run("go", "build", "-o", "service", ".")
}

// runInitStack is in the network of the servers.
func runInitStack(t *testing.T, dir string, instances int) {
	other := anotherNetwork(t)
	project, err := composeIn(dir, cli.WithEnvFiles(), cli.WithDotEnv, cli.WithProfiles([]string{"*"}))
	if err != nil {
		t.Fatal(err)
	}
	s := stack{project, t.TempDir()}
	authority, certificate := certificateOf(t, "mail")
	mails := startMailboxAt(t, "0.0.0.0:25", &tls.Config{Certificates: []tls.Certificate{certificate}}, smtpPassword)
	containerSecrets(t, map[string]string{"SMTP_PASSWORD": smtpPassword, "LATIDO_PASSWORD": *project.Services["evidence"].Environment["LATIDO_PASSWORD"]})
	wiki := &http.Server{Addr: "0.0.0.0:8000", Handler: http.FileServer(http.Dir(filepath.Join(dir, "docs"))), ReadHeaderTimeout: time.Minute}
	go func() { _ = wiki.ListenAndServe() }()
	t.Cleanup(func() { _ = wiki.Close() })

	pyroscope := servers.Pyroscope{Running: s.run(t, "pyroscope", servers.Path(t, "pyroscope"), "127.0.0.1:4040", "/ready", nil,
		pyroscopeAlone(filepath.Join(s.dir, "profiles"))...)}
	s.run(t, "alertmanager", servers.Path(t, "alertmanager"), "127.0.0.1:9093", "/-/ready", []string{"SSL_CERT_FILE=" + authority})
	started := time.Now()
	slow := filepath.Join(t.TempDir(), "the bank is slow")
	broken, name := "127.0.0.1", "tienda-api:9464"
	if instances == 1 {
		s.run(t, "tienda-api", filepath.Join(dir, "service"), "127.0.0.1:9464", "/healthz", []string{"XDG_CACHE_HOME=" + t.TempDir(), "BANK_IS_SLOW=" + slow})
	} else {
		for i := range instances {
			addr, bankIsSlow := instanceAddr(i), filepath.Join(t.TempDir(), "never")
			if out, err := exec.Command("ip", "addr", "add", addr+"/32", "dev", "lo").CombinedOutput(); err != nil {
				t.Fatalf("the address %s: %v\n%s", addr, err, out)
			}
			if i == 1 {
				broken, name, bankIsSlow = addr, fmt.Sprintf("tienda-api-%d:9464", i+1), slow
			}
			s.run(t, "tienda-api", filepath.Join(dir, "service"), addr+":9464", "/healthz",
				[]string{"XDG_CACHE_HOME=" + t.TempDir(), "BANK_IS_SLOW=" + bankIsSlow, "OTEL_EXPORTER_PROMETHEUS_HOST=" + addr}, "-addr="+addr+":8080")
		}
	}
	// The pages of Prometheus' own are made by npm, and no part of its Go module.
	page := filepath.Join(s.dir, "static", "mantine-ui", "index.html")
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, page, []byte("<!doctype html>"))
	prom := servers.PrometheusIn(t, s.run(t, "prometheus", servers.Path(t, "prometheus"), "127.0.0.1:9090", "/-/ready", nil))
	command := project.Services["evidence"].Command
	command[len(command)-1] = filepath.Join(dir, "domain.yaml") // its image has it
	s.run(t, "evidence", program(t, "cmd/latido"), "127.0.0.1:9466", "/healthz", nil, "-timeout=38s")

	// A time before, with samples and profiles.
	prom.WaitForQuery(t, 2*servers.Patience, fmt.Sprintf(`count(sum_over_time(up{job="tienda-api"}[4m]) >= 9) == %d`, instances))
	pyroscope.WaitForProfile(t, servers.Patience, `process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="tienda-api"}`, started)
	write(t, slow, nil)
	pay(t, "http://"+broken+":8080/pagos")

	var mail message
	servers.WaitFor(t, 2*servers.Patience, "a mail of the slow payments", func() error { // a busy machine makes other endpoints slow, too
		var subjects []string
		for _, m := range mails.all() {
			subjects = append(subjects, m.Subject)
			if strings.Contains(m.Text, "RespuestaLenta") && strings.Contains(m.Text, "/pagos") && !strings.Contains(m.Subject, over) {
				mail = m
				return nil
			}
		}
		return fmt.Errorf("mails %q; up %v; Prometheus has %v", subjects, prom.Query(t, `up{job="tienda-api"}`), prom.Query(t, `histogram_quantile(0.95, sum by (instance, le) (rate(tienda_response_duration_seconds_bucket{endpoint="/pagos"}[5m])))`))
	})
	t.Logf("%s\n%s", mail.Subject, mail.Text)
	if mail.To != "guardia@example.com" || !mail.Authenticated {
		t.Errorf("to %s, authenticated %v", mail.To, mail.Authenticated)
	}
	wants := []string{waitsAt, "bank.go"}
	if instances > 1 {
		wants = append(wants, fmt.Sprintf("%s (1 de %d instancias)", name, instances))
	}
	for _, want := range wants {
		if !strings.Contains(mail.Text, want) || !strings.Contains(html.UnescapeString(mail.HTML), want) {
			t.Errorf("the mail has no %q:\n%s\n%s", want, mail.Text, mail.HTML)
		}
	}
	links := linksOf(mail)
	for _, want := range []string{":9466/incidents/", ":9090/graph", ":8000/runbook.md"} {
		if !slices.ContainsFunc(links, func(l string) bool { return strings.Contains(l, watchHost+want) }) {
			t.Errorf("no link to %s: %q", want, links)
		}
	}
	explained := false
	password := *project.Services["evidence"].Environment["LATIDO_PASSWORD"]
	for _, link := range links {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}}
		if u.Port() == "9466" {
			r.SetBasicAuth("latido", password)
		}
		response, err := other.Do(r.WithContext(t.Context()))
		if err != nil {
			t.Errorf("from another machine: %v", err)
			continue
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("from another machine %s answers %s: %.300s", link, response.Status, body)
		}
		explained = explained || strings.Contains(link, "/incidents/") && strings.Contains(string(body), waitsAt)
	}
	if !explained {
		t.Errorf("no incident says anything of %s: %q", waitsAt, links)
	}
	// What the command asks of a service; the report is elsewhere.
	for verb, want := range map[string]string{
		"incidents": "RespuestaLenta", "report": "Pyroscope", "fire RespuestaLenta -wait 90s": "email  ok  it was told\n", "fire RespuestaLent": `did you mean "RespuestaLenta"`,
	} {
		cmd := exec.Command(program(t, "cmd/latido"), append(strings.Fields(verb), "-url", "http://127.0.0.1:9466")...)
		cmd.Env = append(os.Environ(), "LATIDO_PASSWORD="+password, "LC_ALL=C")
		out, err := cmd.CombinedOutput()
		if (err == nil) != (verb == "incidents" || strings.Contains(verb, "-wait")) || !strings.Contains(string(out), want) {
			t.Errorf("latido %s: %v: %s", verb, err, out)
		}
	}
	// Another alert's mail counts as told, too.
	servers.WaitFor(t, 2*servers.Patience, "the mail of the drill", func() error {
		if slices.ContainsFunc(mails.all(), func(m message) bool {
			return strings.Contains(m.Subject, "SIMULACRO") && strings.Contains(m.Text, "RespuestaLenta")
		}) {
			return nil
		}
		return errors.New("none of the mails")
	})
}

// linksOf are the addresses in both parts of a mail.
func linksOf(m message) []string {
	links := regexp.MustCompile(`https?://[^\s"<>]+`).FindAllString(m.Text, -1)
	for _, href := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(m.HTML, -1) {
		links = append(links, html.UnescapeString(href[1]))
	}
	slices.Sort(links)
	return slices.Compact(links)
}

// pay pays again and again, as eight customers, until the test ends.
func pay(t *testing.T, address string) {
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	for range 8 {
		go func() {
			defer func() { ended <- struct{}{} }()
			for ctx.Err() == nil {
				r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(`{"resultado":"aprobado"}`))
				if err != nil {
					return
				}
				response, err := http.DefaultClient.Do(r)
				if err != nil {
					continue
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
			}
		}()
	}
	t.Cleanup(func() {
		stop()
		for range 8 {
			<-ended
		}
	})
}

// anotherNetwork is a client on another machine: a network of its own, with a
// cable to this one.
func anotherNetwork(t *testing.T) *http.Client {
	t.Helper()
	machine := exec.Command("cat")
	machine.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET}
	stdin, err := machine.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := machine.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = machine.Wait()
	})
	pid := fmt.Sprint(machine.Process.Pid)
	for _, command := range []string{
		"ip link add here type veth peer name there netns " + pid,
		"ip addr add " + here + "/24 dev here", "ip link set here up",
		"nsenter -t " + pid + " -n ip addr add " + elsewhere + "/24 dev there", "nsenter -t " + pid + " -n ip link set there up",
	} {
		words := strings.Fields(command)
		if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
	}
	network, err := os.Open("/proc/" + pid + "/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = network.Close() })
	dial := func(ctx context.Context, _, addr string) (c net.Conn, err error) {
		host, port, _ := net.SplitHostPort(addr)
		if host != watchHost {
			return nil, fmt.Errorf("another machine does not know %s", host)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and never unlocked: the thread is of the other network, and ends with this
			if err = unix.Setns(int(network.Fd()), unix.CLONE_NEWNET); err == nil {
				c, err = new(net.Dialer).DialContext(ctx, "tcp4", net.JoinHostPort(here, port))
			}
		}()
		<-done
		return c, err
	}
	return &http.Client{Timeout: 2 * time.Minute, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
}

// containerSecrets are where Compose puts those of a container. It is seen in this
// namespace alone.
func containerSecrets(t *testing.T, secrets map[string]string) {
	t.Helper()
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll("/run/secrets", 0o755); err != nil {
		t.Fatal(err)
	}
	for name, value := range secrets {
		write(t, "/run/secrets/"+name, []byte(value))
	}
}

// certificateOf is that of a name, and the file of who says so.
func certificateOf(t *testing.T, name string) (file string, certificate tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "authority.pem")
	write(t, file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return file, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
