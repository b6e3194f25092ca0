package am

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/alertmanager/nflog/nflogpb"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/latido-dev/latido/embedded/alert"
)

// killed returns a copy of a folder: what a process that is killed leaves.
func killed(t *testing.T, dir string) string {
	t.Helper()
	left := t.TempDir()
	if err := os.CopyFS(left, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return left
}

// saved waits until the state of s is on disk.
func saved(t *testing.T, s *Server, dir, file, want string) {
	t.Helper()
	wait(t, want+" in "+file, func() bool {
		b, err := os.ReadFile(filepath.Join(dir, file))
		return err == nil && bytes.Contains(b, []byte(want))
	})
}

// entryOf is what the notification log on disk has of an alert, nil for nothing.
func entryOf(dir, name string) *nflogpb.Entry {
	b, err := os.ReadFile(filepath.Join(dir, "nflog"))
	if err != nil {
		return nil
	}
	for r := bytes.NewReader(b); ; {
		var e nflogpb.MeshEntry
		if err := protodelim.UnmarshalFrom(r, &e); err != nil {
			return nil
		}
		if strings.Contains(string(e.Entry.GroupKey), name) {
			return e.Entry
		}
	}
}

// After kill -9 a silence still holds, an alert that still fires is not told
// again, and one that is over is resolved for those who were told of it.
func TestKilled(t *testing.T) {
	t.Parallel()
	h, dir := newHook(t), t.TempDir()
	cfg := Config{Dir: dir, File: file([2]string{"hook", webhookTo(h.URL)})}
	s := start(t, cfg)
	silenceAlert(t, s, "Quiet")
	still, over, ended := firing("Still"), firing("Over"), firing("Ended")
	s.Put(still, over, ended, firing("Quiet"))
	wait(t, "three messages", func() bool { return len(h.got()) == 3 })
	ends := resolved(ended)
	s.Put(ends)
	wait(t, "a fourth", func() bool { return len(h.got()) == 4 })
	wait(t, "the end on disk", func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "alerts.json"))
		return bytes.Contains(b, []byte(`"endsAt"`))
	})
	saved(t, s, dir, "silences", "Quiet")
	for _, name := range []string{"Still", "Over", "Ended"} {
		wait(t, name+" in the notification log", func() bool {
			e := entryOf(dir, name)
			return e != nil && (len(e.ResolvedAlerts) > 0) == (name == "Ended")
		})
	}

	cfg.Dir = killed(t, dir)
	next := start(t, cfg)
	var silences []struct{ Status struct{ State string } }
	get(t, next, "/api/v2/silences", &silences)
	if len(silences) != 1 || silences[0].Status.State != "active" {
		t.Errorf("silences after the restart: %+v", silences)
	}
	next.Put(still, firing("Quiet"), resolved(over))
	wait(t, "a message", func() bool { return len(h.got()) == 5 })
	next.Put(firing("New"))
	wait(t, "a new message", func() bool { return len(h.got()) == 6 })
	got := h.states()[4:]
	if got[0] != "Over resolved" || got[1] != "New firing" {
		t.Errorf("after the restart: %v, want only what is new", got)
	}
}

// Who was told is on disk soon, also where nothing else happens: a process that is
// killed would tell it again.
func TestDeliveredIsKept(t *testing.T) {
	t.Parallel()
	h, dir, release := newHook(t), t.TempDir(), make(chan struct{})
	h.set(func(w http.ResponseWriter, r *http.Request) { <-release })
	s := start(t, Config{Dir: dir, File: file([2]string{"hook", webhookTo(h.URL)})})
	s.Put(firing("Slow"))
	wait(t, "the alert on disk", func() bool {
		b, _ := os.ReadFile(filepath.Join(dir, "alerts.json"))
		return bytes.Contains(b, []byte("Slow")) && !s.store.dirty.Load()
	})
	close(release)
	wait(t, "the notification log on disk", func() bool { return entryOf(dir, "Slow") != nil })
}

// Stop writes down what has changed since the last time.
func TestStopKeeps(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, Config{Dir: dir, File: file()})
	s.Put(firing("Last"))
	silenceAlert(t, s, "Quiet")
	stop(t, s)
	for name, want := range map[string]string{"alerts.json": "Last", "silences": "Quiet"} {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s: %v, it does not have %s:\n%s", name, err, want, b)
		}
	}
}

// What did not change is written as it was, in whatever order the alerts came.
func TestSavedInOneOrder(t *testing.T) {
	t.Parallel()
	s := start(t, Config{File: file()})
	var all []alert.Alert
	for i := range 20 {
		all = append(all, firing(fmt.Sprintf("A%02d", 19-i)))
	}
	s.Put(all...)
	wait(t, "them all, from A00 to A19", func() bool {
		var b bytes.Buffer
		var saved []savedAlert
		if _, err := s.saveAlerts(&b); err != nil || json.Unmarshal(b.Bytes(), &saved) != nil {
			t.Fatalf("%v: %s", err, b.Bytes())
		}
		if len(saved) < len(all) {
			return false
		}
		for i, a := range saved {
			if want := fmt.Sprintf("A%02d", i); string(a.Labels["alertname"]) != want {
				t.Fatalf("%s is where %s should be", a.Labels, want)
			}
		}
		return true
	})
}

// Rules that say nothing more of an alert after a restart let it end; before
// that they have the time to say so.
func TestKilledAlertEnds(t *testing.T) {
	t.Parallel()
	h, dir := newHook(t), t.TempDir()
	cfg := Config{Dir: dir, File: append([]byte("global: {resolve_timeout: 1s}\n"), file([2]string{"hook", webhookTo(h.URL)})...)}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Put(firing("Over"))
	wait(t, "the message", func() bool { return len(h.got()) == 1 })
	stop(t, s)
	began := time.Now()
	start(t, cfg)
	wait(t, "the end", func() bool { return len(h.got()) == 2 })
	if got := h.states(); got[1] != "Over resolved" || time.Since(began) < time.Second {
		t.Errorf("after %v: %v", time.Since(began), got)
	}
}

// A broken file costs what it had, and nothing else.
func TestBrokenFiles(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func([]byte) []byte{
		"torn":    func(b []byte) []byte { return b[:len(b)-3] },
		"garbage": func([]byte) []byte { return bytes.Repeat([]byte{0xff, 0x13}, 5000) },
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, dir, lines := newHook(t), t.TempDir(), &logs{}
			cfg := Config{Dir: dir, File: file([2]string{"hook", webhookTo(h.URL)}), Logger: lines.logger()}
			s, err := Start(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			silenceAlert(t, s, "Quiet")
			s.Put(firing("Slow"))
			wait(t, "the message", func() bool { return len(h.got()) == 1 })
			stop(t, s)
			for _, name := range []string{"nflog", "silences", "alerts.json"} {
				path := filepath.Join(dir, name)
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, spoil(b), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			next := start(t, cfg)
			next.Put(firing("Other"))
			wait(t, "another message", func() bool { return len(h.got()) == 2 })
			aside, _ := filepath.Glob(filepath.Join(dir, "*.broken"))
			if len(aside) != 3 || strings.Count(lines.String(), "moved aside") != 3 {
				t.Errorf("moved aside: %v\n%s", aside, lines)
			}
		})
	}
}

// A folder that cannot be written to costs one warning.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	h, lines := newHook(t), &logs{}
	dir := filepath.Join(t.TempDir(), "file", "dir")
	if err := os.WriteFile(filepath.Dir(dir), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, Config{Dir: dir, File: file([2]string{"hook", webhookTo(h.URL)}), Logger: lines.logger()})
	s.Put(firing("Slow"))
	wait(t, "the message", func() bool { return len(h.got()) == 1 })
	if n := strings.Count(lines.String(), "kept in memory"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, lines)
	}
}

// A write that fails is said once, leaves no file behind, and is made up for.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	lines, dir := &logs{}, t.TempDir()
	s := openStore(dir, lines.logger())
	full := true
	s.files = []kept{{name: "nflog", save: func(w io.Writer) (int64, error) {
		if full {
			return 0, errors.New("no space left on device")
		}
		n, err := w.Write([]byte("state"))
		return int64(n), err
	}}}
	s.changed()
	s.save()
	s.save()
	if !s.bad || strings.Count(lines.String(), "no space left") != 1 {
		t.Errorf("bad %t:\n%s", s.bad, lines)
	}
	full = false
	s.save()
	if b, err := os.ReadFile(filepath.Join(dir, "nflog")); err != nil || string(b) != "state" || s.bad {
		t.Errorf("%q, %v, bad %t", b, err, s.bad)
	}
	// A folder in the place of the file: it cannot be renamed over.
	os.Remove(filepath.Join(dir, "nflog"))
	_ = os.MkdirAll(filepath.Join(dir, "nflog", "x"), 0o700)
	s.files[0].last = [32]byte{}
	s.changed()
	s.save()
	if left, _ := filepath.Glob(filepath.Join(dir, ".nflog-*")); len(left) > 0 || !s.bad {
		t.Errorf("left behind: %v, bad %t", left, s.bad)
	}
}

// An alert that fired when a process ended is, to one that starts days later,
// over since then: nobody hears that it fires.
func TestKilledDaysAgo(t *testing.T) {
	t.Parallel()
	h, dir := newHook(t), t.TempDir()
	cfg := Config{Dir: dir, File: file([2]string{"hook", webhookTo(h.URL)})}
	s, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Put(firing("Slow"))
	wait(t, "the message", func() bool { return len(h.got()) == 1 })
	stop(t, s)
	path, ended := filepath.Join(dir, "alerts.json"), time.Now().Add(-72*time.Hour).Round(time.Second)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`"(startsAt|seenAt)":"[^"]*"`).ReplaceAll(text, []byte(`"$1":"`+ended.Format(time.RFC3339)+`"`))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
	wait(t, "the end", func() bool { return len(h.got()) == 2 })
	if got := h.got()[1].Alerts[0]; got.Status != "resolved" || !got.EndsAt.Equal(ended) {
		t.Errorf("told that it is %s, since %v, want since %v", got.Status, got.EndsAt, ended)
	}
}
