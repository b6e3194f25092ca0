package remote

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/latido-dev/latido/internal/testkit"
)

// serve is a server that answers with a handler, with a user and a password in
// its address.
func serve(t *testing.T, handler http.HandlerFunc) *url.URL {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	base, err := ServiceURL(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	base.User = url.UserPassword("ana", "secret")
	return base
}

func answers(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

// wrong holds what an error says, and that no password is in it.
func wrong(t *testing.T, err error, want string) {
	t.Helper()
	testkit.Error(t, err, want)
	if err != nil && strings.Contains(err.Error(), "secret") {
		t.Errorf("a password is in %q", err)
	}
}

func TestServiceURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://127.0.0.1:9464": "http://127.0.0.1:9464", "https://ana:secret@shop.example/x?q=secret": "https://shop.example",
		"": "", "shop.example": "", "ftp://shop.example": "", "http:///x": "", "http://ana:secret@%zz": "",
	} {
		u, err := ServiceURL(text)
		switch {
		case want == "":
			wrong(t, err, "-url is no address of a service: write one such as "+DefaultURL)
		case err != nil || Address(u) != want:
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
}

func TestPageURL(t *testing.T) {
	t.Parallel()
	base, err := url.Parse("https://ana:secret@shop.example/admin/")
	if err != nil {
		t.Fatal(err)
	}
	for link, want := range map[string]string{
		"": "", "\x7f": "", "javascript:alert(1)": "", "mailto:ana@example.com": "",
		"incidents/7":                    "https://shop.example/admin/incidents/7",
		"/incidents/7":                   "https://shop.example/incidents/7",
		"http://other.example/7":         "http://other.example/7",
		"https://ana:secret@other.com/7": "https://other.com/7",
	} {
		if got := PageURL(base, link); got != want {
			t.Errorf("%q is %q, want %q", link, got, want)
		}
	}
}

// TestExchange has what is sent, and each way in which no answer comes.
func TestExchange(t *testing.T) {
	t.Parallel()
	login := func(r *http.Request) { r.Header.Set("Login", "yes") }
	got := make(chan string, 1)
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, password, _ := r.BasicAuth()
		got <- fmt.Sprint(r.Method, " ", r.URL, " ", r.Header.Get("X"), " ", r.Header.Get("Login"), " ", user, ":", password, " ", string(body))
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(http.StatusFound)
		_, _ = io.WriteString(w, "moved")
	})
	base.Path, base.RawQuery, base.Fragment = "/admin", "old=1", "part"
	for q, want := range map[*Request]string{
		{Path: "api/x"}: "GET /admin/api/x  yes ana:secret ",
		{Method: http.MethodPost, Path: "/api/x", Query: url.Values{"q": {"a b"}}, Header: map[string]string{"X": "7"}, Body: []byte("text")}: "POST /admin/api/x?q=a+b 7 yes ana:secret text",
	} {
		reply, err := Exchange(t.Context(), base, *q, login)
		if err != nil || reply.Code != http.StatusFound || reply.Status != "302 Found" || string(reply.Body) != "moved" || reply.Header.Get("Location") != "/elsewhere" {
			t.Errorf("%+v, %v", reply, err)
		}
		if sent := <-got; sent != want {
			t.Errorf("asks %q, want %q", sent, want)
		}
	}
	_, err := Exchange(t.Context(), base, Request{Method: "GET IT"}, login)
	wrong(t, err, "cannot be asked")

	broken := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
	})
	_, err = Exchange(t.Context(), broken, Request{}, login)
	wrong(t, err, "the answer breaks off: unexpected EOF")

	long := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		for part := make([]byte, 1<<20); ; {
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	})
	_, err = Exchange(t.Context(), long, Request{}, login)
	wrong(t, err, "the answer is longer than 64 MiB")

	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	nobody, _ := url.Parse(strings.Replace(gone.URL, "http://", "http://ana:secret@", 1))
	if _, err = Exchange(t.Context(), nobody, Request{}, login); !errors.As(err, new(Unreached)) {
		t.Errorf("%v, of nobody", err)
	}
	_, err = Ask(t.Context(), nobody, Request{})
	wrong(t, err, "nothing answers at "+gone.URL)
}

// TestServiceLogin: the variables come before the address, whose user is kept
// without them.
func TestServiceLogin(t *testing.T) {
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		_, _ = io.WriteString(w, user+":"+password)
	})
	for _, c := range []struct{ user, password, want string }{
		{"", "", "ana:secret"}, {"eva", "", "eva:"}, {"", "pw", "latido:pw"}, {"eva", "pw", "eva:pw"},
	} {
		t.Setenv("LATIDO_USER", c.user)
		t.Setenv("LATIDO_PASSWORD", c.password)
		if got, err := Ask(t.Context(), base, Request{}); err != nil || string(got) != c.want {
			t.Errorf("LATIDO_USER=%q LATIDO_PASSWORD=%q: %q, %v, want %q", c.user, c.password, got, err, c.want)
		}
	}
}

// TestAskPrometheus has each answer that is none.
func TestAskPrometheus(t *testing.T) {
	t.Parallel()
	reason := strings.Repeat("too many letters, ", 100) + "and \x1b[31mred"
	quoted, err := json.Marshal(reason)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		code       int
		text, want string
	}{
		"good":               {200, `{"status": "success", "data": [1, 2]}`, ""},
		"refused":            {400, `{"status": "error", "error": "parse error"}`, ": parse error"},
		"refused at length":  {422, `{"status": "error", "error": ` + string(quoted) + `}`, `, and \x1b[31mred`},
		"another's refusal":  {502, "bad\x1b gateway", ` answers 502 Bad Gateway: bad\x1b gateway`},
		"a password":         {401, "who are you", " wants a password: set LATIDO_USER and LATIDO_PASSWORD"},
		"no JSON":            {200, "<html>", " is no service of Latido's, or of another version: /api/v1/x: invalid character '<'"},
		"no status":          {200, `{"data": [1]}`, " is no Prometheus: /api/v1/x answers without a status"},
		"data of other form": {200, `{"status": "success", "data": {}}`, " answers /api/v1/x in a form that is not Prometheus': json: "},
	} {
		base := serve(t, answers(c.code, c.text))
		var into []int
		err := AskPrometheus(t.Context(), base, "x", nil, &into)
		if c.want != "" {
			wrong(t, err, c.want)
			continue
		}
		if err != nil || len(into) != 2 {
			t.Errorf("%s: %v, %v", name, into, err)
		}
	}
}

// TestStart cuts a long text, and no letter of it in two.
func TestStart(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{
		" short \n": 5, strings.Repeat("a", 500): 500, strings.Repeat("a", 501): 500, strings.Repeat("a", 499) + "ñ": 499, strings.Repeat("a", 498) + "ñ": 500,
		strings.Repeat("a", 498) + "ñb": 500, strings.Repeat("a", 497) + "😀": 497, strings.Repeat("\x80", 600): 496,
	} {
		got := Reply{Body: []byte(text)}.Start()
		if len(got) != want || utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Errorf("%d bytes of %d, want %d: %q", len(got), len(text), want, got)
		}
	}
}

func TestInstant(t *testing.T) {
	t.Parallel()
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		answers(200, map[string]string{
			"up": `{"status": "success", "data": {"resultType": "vector", "result": [
				{"metric": {"__name__": "up", "job": "shop"}, "value": [1, "0.5"]},
				{"metric": {"job": "native"}, "histogram": [1, {"count": "3"}]}]}}`,
			"1":    `{"status": "success", "data": {"resultType": "scalar", "result": []}}`,
			"text": `{"status": "error", "error": "no such query"}`,
		}[r.FormValue("query")])(w, r)
	})
	all, err := Instant(t.Context(), base, "up")
	if got := fmt.Sprint(all); err != nil || got != "[{up map[job:shop] 0.5} { map[job:native] 0}]" {
		t.Errorf("%s, %v", got, err)
	}
	_, err = Instant(t.Context(), base, "1")
	wrong(t, err, " answers a query with a scalar, not with a vector")
	_, err = Instant(t.Context(), base, "text")
	wrong(t, err, "without a status")
}

func TestFamilies(t *testing.T) {
	t.Parallel()
	all, err := Families([]byte("up 1\n{\"shop.orders\",canal=\"web\"} 3\n"))
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	one := all["shop.orders"].GetMetric()[0]
	if Label(one, "canal") != "web" || Label(one, "other") != "" {
		t.Errorf("%v", one)
	}
	if got := LabelText(map[string]string{"b": `"`, "a": "1"}); got != `a="1",b="\"",` {
		t.Errorf("%s", got)
	}
	_, err = Families([]byte("up 1 2 3\n"))
	testkit.Error(t, err, "text format parsing error")
}
