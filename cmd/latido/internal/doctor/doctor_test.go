package doctor

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
	"github.com/latido-dev/latido/internal/testkit"
)

// TestDoctorHealthy holds what a person sees of a set-up that is well.
func TestDoctorHealthy(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := newPatient(t).doctor("text")
	if code != 0 || stderr != "" {
		t.Errorf("exit %d: %s", code, stderr)
	}
	testkit.Golden(t, "testdata/doctor.golden.txt", regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAll([]byte(stdout), []byte("127.0.0.1:PORT")))
}

func TestDoctorCalls(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args           string
		code           int
		stdout, stderr string
	}{
		{"doctor -h", 0, "-collector-metrics", ""},
		{"help doctor", 0, "-job", ""},
		{"doctor a b", 2, "", "one file"},
		{"doctor -format xml", 2, "", "text, json or junit"},
		{"doctor -prometheus 127.0.0.1:9090", 2, "", "-prometheus is no address: write one such as http://127.0.0.1:9090, or none"},
		{"doctor -grafana user:hunter2@127.0.0.1", 2, "", "-grafana is no address"},
		{"doctor -url ftp://user:hunter2@127.0.0.1", 2, "", "-url is no address"},
		{"doctor -pyroscop none", 2, "", "-pyroscop"},
		{"doctor testdata/nothing.yaml", 1, "", "nothing.yaml"},
	} {
		t.Run(c.args, func(t *testing.T) {
			code, stdout, stderr := latido(strings.Fields(c.args)...)
			if code != c.code || !strings.Contains(stdout, c.stdout) || !strings.Contains(stderr, c.stderr) || strings.Contains(stdout+stderr, "hunter2") {
				t.Errorf("exit %d, want %d\nstdout: %s\nstderr: %s", code, c.code, stdout, stderr)
			}
		})
	}
}

// TestDoctorNone leaves out all parts, and then one at a time: nothing is wrong
// then, and the links that are left are looked at.
func TestDoctorNone(t *testing.T) {
	t.Parallel()
	args := []string{"doctor"}
	for name := range newParts() {
		args = append(args, "-"+name, "none")
	}
	code, stdout, stderr := latido(append(args, doctorFile)...)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "left out with -grafana none") || strings.Count(stdout, "skip") != len(links)-1 {
		t.Errorf("exit %d, %s\n%s", code, stderr, stdout)
	}
	for name := range newParts() {
		w := newPatient(t)
		w.at[name] = "none"
		all := w.links()
		names, said := brokenLinks(all)
		skipped := 0
		for _, f := range all {
			if f.Status == result.Skipped {
				skipped++
			}
		}
		if len(names) > 0 || skipped == 0 || skipped == len(links) {
			t.Errorf("-%s none: %v fail, %d skipped: %s", name, names, skipped, said)
		}
	}
}

// TestDoctorLinks holds what the runner relies on.
func TestDoctorLinks(t *testing.T) {
	t.Parallel()
	before, all := []string{}, []string{}
	for _, l := range links {
		all = append(all, l.name)
	}
	parts := newParts()
	for _, l := range links {
		for _, name := range l.needs {
			if !slices.Contains(before, name) {
				t.Errorf("%s needs %s, which is not before it", l.name, name)
			}
		}
		for _, name := range l.blames {
			if !slices.Contains(all, name) || name == l.name {
				t.Errorf("%s blames %s, which is no other link", l.name, name)
			}
		}
		// Blame ends somewhere, or nothing would be left to tell.
		for seen, next := []string{}, l.blames; len(next) > 0; {
			if slices.Contains(next, l.name) {
				t.Errorf("%s is blamed by one that it blames", l.name)
			}
			seen = append(seen, next...)
			next = slices.DeleteFunc(slices.Concat(blamesOf(next)...), func(name string) bool { return slices.Contains(seen, name) })
		}
		if l.part != "" && parts[l.part] == nil {
			t.Errorf("%s is of the part %s, which there is not", l.name, l.part)
		}
		before = append(before, l.name)
	}
}

// blamesOf are the links that each of the links blames.
func blamesOf(names []string) [][]string {
	var all [][]string
	for _, l := range links {
		if slices.Contains(names, l.name) {
			all = append(all, l.blames)
		}
	}
	return all
}

// TestDoctorDomain has a domain file with mistakes: what does not need it is
// looked at all the same.
func TestDoctorDomain(t *testing.T) {
	t.Parallel()
	args := []string{"doctor", "-grafana", "none", "-pyroscope", "none", "-collector", "none", "-alertmanager", "none", "-url", "none"}
	server := httptest.NewServer(newPatient(t).parts["prometheus"])
	defer server.Close()
	code, stdout, _ := latidoReads("prefix: 7\n", append(args, "-prometheus", server.URL, "-")...)
	for _, want := range []string{"-:1:", "scrape             skip  not known as long as domain fails", "notify"} {
		if code != 1 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in\n%s", code, want, stdout)
		}
	}
}

func TestDoctorJUnit(t *testing.T) {
	t.Parallel()
	w := newPatient(t)
	w.parts["collector"] = pages{"/": refuses(http.StatusServiceUnavailable, "no")}
	_, stdout, _ := w.doctor("junit")
	var suite struct {
		Name     string `xml:"name,attr"`
		Tests    int    `xml:"tests,attr"`
		Failures int    `xml:"failures,attr"`
	}
	if err := xml.Unmarshal([]byte(stdout), &suite); err != nil || suite.Failures != 1 || suite.Tests != len(links) || !strings.HasPrefix(suite.Name, "latido doctor ") {
		t.Errorf("%v\n%s", err, stdout)
	}
}

// TestDoctorUnreachable tells apart the ways in which nobody answers, or
// somebody else.
func TestDoctorUnreachable(t *testing.T) {
	t.Parallel()
	raw := func(answer string) string { // a program that does not speak HTTP
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = listener.Close() })
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096)) // or the end of the connection would overtake the answer
				_, _ = c.Write([]byte(answer))
				_ = c.Close()
			}
		}()
		return listener.Addr().String()
	}
	secure := httptest.NewUnstartedServer(pages{})
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // that we speak no TLS is the point
	secure.StartTLS()
	defer secure.Close()
	plain := func(p pages) string {
		s := httptest.NewServer(p)
		t.Cleanup(s.Close)
		return strings.TrimPrefix(s.URL, "http://")
	}
	for want, at := range map[string]string{
		"nothing listens at http://127.0.0.1:1":                                "http://127.0.0.1:1",
		"the name tienda.invalid does not resolve":                             "http://tienda.invalid:9464",
		"speaks plain HTTP\nwrite -url http://":                                "https://" + plain(pages{}),
		"speaks HTTPS\nwrite -url https://":                                    "http://" + strings.TrimPrefix(secure.URL, "https://"),
		"is not trusted":                                                       secure.URL,
		`malformed HTTP response "SSH-2.0`:                                     "http://" + raw("SSH-2.0-OpenSSH_9.6\r\n\r\n"),
		"has no whole answer in HTTP":                                          "http://" + raw(""),
		"wants a login\nset LATIDO_USER":                                       "http://" + plain(pages{"/metrics": refuses(http.StatusUnauthorized, "")}),
		"does not let us see /metrics: 403":                                    "http://" + plain(pages{"/metrics": refuses(http.StatusForbidden, "")}),
		"is not ready: /metrics answers 503 Service Unavailable: up":           "http://" + plain(pages{"/metrics": refuses(http.StatusServiceUnavailable, "up soon")}),
		"is not the service's admin listener: /metrics answers 404":            "http://" + plain(pages{}),
		"it has metrics, but no tienda_build_info; they are from a Prometheus": "http://" + plain(pages{"/metrics": says("# TYPE prometheus_build_info gauge\nprometheus_build_info 1\n")}),
		"sends us on to http://login.example.com/in": "http://" + plain(pages{"/metrics": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://u:hunter2@login.example.com/in?to=hunter2", http.StatusFound)
		}}),
		"another service: its metrics have the prefix clinica": "http://" + plain(pages{"/metrics": says(strings.ReplaceAll(serviceMetrics, "tienda_", "clinica_"))}),
	} {
		w := newPatient(t)
		w.at["url"] = strings.Replace(at, "://", "://ops:hunter2@", 1)
		all := w.links()
		names, said := brokenLinks(all)
		if !slices.Equal(names, []string{"service"}) || !strings.Contains(said, want) {
			t.Errorf("no %q in %s, of %v", want, said, names)
		}
		if all["exemplars"].Detail != "not known as long as service fails" {
			t.Errorf("exemplars: %s", all["exemplars"].Detail)
		}
	}
}

// TestDoctorCascade breaks several links: each is told where it can be mended.
func TestDoctorCascade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		breaks func(w *patient)
		fail   string // the links that fail
		skip   string // of those that say why not, one and its reason
	}{
		"service down": {func(w *patient) {
			w.at["url"] = "http://127.0.0.1:1"
			w.parts["prometheus"]["/api/v1/targets"] = api(object{"activeTargets": []object{w.target("down", "connection refused")}})
			w.parts["pyroscope"]["/pyroscope/render"] = gives(object{"flamebearer": object{"numTicks": 0}})
		}, "service", "profiles: not known as long as service fails"},
		"reload failed": {func(w *patient) {
			w.parts["prometheus"]["/metrics"] = says("\nprometheus_config_last_reload_successful 0\n")
			w.parts["prometheus"]["/api/v1/rules"] = api(object{"groups": []object{}})
			w.parts["prometheus"]["/api/v1/targets"] = api(object{"activeTargets": []object{}})
		}, "config", "series: not known as long as config fails"},
		"Collector down": {func(w *patient) {
			w.at["collector"] = "http://127.0.0.1:1"
			w.parts["url"]["/metrics"] = says(strings.NewReplacer(`outcome="success"} 12`, `outcome="success"} 0`, `outcome="failure"} 0`, `outcome="failure"} 9`).Replace(serviceMetrics))
			w.parts["pyroscope"]["/pyroscope/render"] = gives(object{"flamebearer": object{"numTicks": 7}})
		}, "collector", "otlp: not known as long as collector fails"},
		"Collector down, and not told of": {func(w *patient) {
			w.at["collector"] = "none"
			w.parts["url"]["/metrics"] = says(strings.NewReplacer(`outcome="success"} 12`, `outcome="success"} 0`, `outcome="failure"} 0`, `outcome="failure"} 9`).Replace(serviceMetrics))
		}, "otlp", "collector-metrics: not known, as collector is not looked at"},
		"no target scraped yet": {func(w *patient) { w.targets("unknown", "") }, "scrape", "series: not known as long as scrape fails"},
		"one of two targets down": {func(w *patient) {
			w.parts["prometheus"]["/api/v1/targets"] = api(object{"activeTargets": []object{w.target("up", ""), w.target("down", "connection refused")}})
		}, "scrape", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPatient(t)
			c.breaks(w)
			all := w.links()
			names, said := brokenLinks(all)
			link, reason, _ := strings.Cut(c.skip, ": ")
			if strings.Join(names, " ") != c.fail || all[link].Detail != reason {
				t.Errorf("%v fail, %s is %+v\n%s", names, link, all[link], said)
			}
			if c.skip == "" && all["series"].Status != result.OK { // what works is looked at
				t.Errorf("series: %+v", all["series"])
			}
		})
	}
}

// TestDoctorOddAnswers has every page of every part answer what it should not.
// There is never a panic, and a part that answers nonsense is not well.
func TestDoctorOddAnswers(t *testing.T) {
	t.Parallel()
	odd := map[string]http.HandlerFunc{
		"a web page":        says("<!doctype html><html><title>\x1b[31mWelcome</title></html>"),
		"nothing":           says(""),
		"cut off":           says(`{"status":"success","data":{"resultType":"vec`),
		"JSON: a list":      says(`[1, "x", null]`),
		"null":              says("null"),
		"an object":         says("{}"),
		"a number":          says("7"),
		"no data":           says(`{"status":"success","data":null}`),
		"JSON: odd vectors": says(`{"status":"success","data":{"resultType":"vector","result":[{"metric":null,"value":[]},{"value":["x",{}]}]}}`),
		"JSON: refused":     refuses(http.StatusInternalServerError, `{"status":"error","error":"\u001b[31m\u202etoo many samples"}`),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://u:hunter2@h/", http.StatusFound)
		},
		"no whole answer": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"status":"success"`)
		},
		"bytes": says("\x00\xff\xfe\x80tienda_build_info{\x00} NaN\n"),
	}
	w := newPatient(t) // one, since its servers take longer than the questions
	for part, all := range w.parts {
		// Of Grafana nothing is asked because of what others say, and to make its
		// dashboards takes longer than all else.
		delete(w.at, "grafana")
		if part != "grafana" {
			w.at["grafana"] = "none"
		}
		well := maps.Clone(all)
		for path := range well {
			for kind, page := range odd {
				if !strings.HasPrefix(kind, "JSON") { // the rest is the same for every page
					continue
				}
				all[path] = page
				code, stdout, stderr := w.doctor("text")
				if code > 1 || stderr != "" || strings.Contains(stdout, "hunter2") || strings.ContainsAny(stdout, "\x1b\x00\u202e") {
					t.Errorf("%s%s answers %s: exit %d: %s\n%q", part, path, kind, code, stderr, stdout)
				}
			}
			all[path] = well[path]
		}
		for kind, page := range odd { // on every page
			for path := range well {
				all[path] = page
			}
			if code, stdout, _ := w.doctor("text"); code != 1 {
				t.Errorf("%s answers %s everywhere: exit %d\n%s", part, kind, code, stdout)
			}
		}
		maps.Copy(all, well)
	}
}

// TestDoctorHuge has a part that does not stop talking.
func TestDoctorHuge(t *testing.T) {
	t.Parallel()
	w := newPatient(t)
	line := bytes.Repeat([]byte("x"), 1<<20)
	w.parts["alertmanager"]["/-/ready"] = func(out http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := out.Write(line); err != nil {
				return
			}
		}
	}
	if names, said := brokenLinks(w.links()); !slices.Equal(names, []string{"alertmanager"}) || !strings.Contains(said, "longer than 64 MiB") {
		t.Errorf("%v: %s", names, said)
	}
}

// TestDoctorHanging has a part that takes the question and says nothing.
func TestDoctorHanging(t *testing.T) {
	t.Parallel()
	leave := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-leave }))
	defer server.Close()
	defer close(leave)
	p := newParts()["pyroscope"]
	if err := p.locate(server.URL); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := p.ask(ctx, remote.Request{Path: p.ready}); err == nil || !strings.Contains(err.Error(), "does not answer within") {
		t.Error(err)
	}
}

// TestDoctorClock shifts clocks by the header Date.
func TestDoctorClock(t *testing.T) {
	t.Parallel()
	for want, ahead := range map[string]map[string]time.Duration{
		"the clock of Grafana, http://127.0.0.1:":                       {"grafana": -time.Minute},
		"is 1h0m0s ahead of this machine's":                             {"prometheus": time.Hour},
		"this machine's clock is 1m0s behind the 7 others, which agree": {"": time.Minute},
		"": {"grafana": 3 * time.Second},
	} {
		w := newPatient(t)
		for name, p := range w.parts {
			by, ok := ahead[name]
			if !ok {
				by = ahead[""]
			}
			for path, page := range p {
				p[path] = func(out http.ResponseWriter, r *http.Request) {
					out.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
					page(out, r)
				}
			}
		}
		names, said := brokenLinks(w.links())
		if wrong := want != ""; !strings.Contains(said, want) || wrong != slices.Equal(names, []string{"clock"}) || !wrong && len(names) > 0 {
			t.Errorf("no %q in %q, of %v", want, said, names)
		}
	}
}
