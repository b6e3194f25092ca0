package evidence

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// at1504 is an id of that day of January.
func at1504(day int) string { return fmt.Sprintf("202601%02dT150405Z-cpu-0a1b2c", day) }

// kept opens an archive, in memory where dir is "".
func kept(t *testing.T, dir string, maxIncidents int, maxBytes int64) *archive {
	t.Helper()
	return openArchive(Config{Dir: dir, MaxIncidents: maxIncidents, MaxBytes: maxBytes}, &outcomes{}, (&Recorder{said: map[string]bool{}}).once)
}

func (a *archive) ids() string {
	var days []string
	for _, in := range a.list() {
		days = append(days, in.ID[6:8])
	}
	return strings.Join(days, " ")
}

func add(t *testing.T, a *archive, in Incident, trace int) {
	t.Helper()
	if err := a.add(&gathered{incident: &in, trace: make([]byte, trace)}); err != nil {
		t.Fatal(err)
	}
}

// TestKeptExactly: what is just as much as may be kept is kept, and a byte more costs
// the oldest.
func TestKeptExactly(t *testing.T) {
	probe := kept(t, "", 100, 1<<20)
	add(t, probe, Incident{ID: at1504(1)}, 0)
	one := probe.bytes
	for _, c := range []struct {
		maxIncidents int
		maxBytes     int64
		want         string
	}{
		{3, 3 * one, "04 03 02"}, {100, 3 * one, "04 03 02"}, {100, 3*one - 1, "04 03"}, {2, 1 << 20, "04 03"}, {100, one, "04"},
	} {
		a := kept(t, "", c.maxIncidents, c.maxBytes)
		for day := range 4 {
			add(t, a, Incident{ID: at1504(day + 1)}, 0)
			add(t, a, Incident{ID: at1504(day + 1)}, 0) // again: it takes its own place
		}
		if got := a.ids(); got != c.want || a.bytes != one*int64(len(a.kept)) {
			t.Errorf("of %d and %d bytes are kept %s, %d bytes, want %s", c.maxIncidents, c.maxBytes, got, a.bytes, c.want)
		}
	}
	if err := kept(t, "", 100, one-1).add(&gathered{incident: &Incident{ID: at1504(1)}}); !errors.Is(err, errTooLarge) {
		t.Errorf("one that is a byte too large: %v", err)
	}
}

// TestLowerBound: bounds that became lower hold from the start on, whatever was kept.
func TestLowerBound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a := kept(t, dir, 100, 1<<20)
	for day := range 3 {
		add(t, a, Incident{ID: at1504(day + 1)}, 0)
	}
	one := a.bytes / 3
	for _, c := range []struct {
		maxBytes int64
		want     string
	}{{3 * one, "03 02 01"}, {2 * one, "03 02"}, {one - 1, ""}} {
		b := kept(t, dir, 100, c.maxBytes)
		folders, _ := os.ReadDir(filepath.Join(dir, "incidents"))
		if got := b.ids(); got != c.want || len(folders) != len(b.kept) {
			t.Errorf("of %d bytes are kept %q in %d folders, want %q", c.maxBytes, got, len(folders), c.want)
		}
	}
}

// TestFilesBesideWords: an incident has its profiles and its trace, but where they take
// more than half of what all incidents may.
func TestFilesBesideWords(t *testing.T) {
	const most = 1 << 20
	for trace, want := range map[int]string{0: "", 1: fileTrace, most / 2: fileTrace, most/2 + 1: ""} {
		a := kept(t, "", 100, most)
		add(t, a, Incident{ID: at1504(1)}, trace)
		e := a.find(at1504(1))
		data, err := a.read(e, fileTrace)
		if got := strings.Join(e.incident.Files, " "); got != want || len(data) != trace && want != "" || (err == nil) != (want != "") {
			t.Errorf("a trace of %d bytes: files %q, %d bytes, %v", trace, got, len(data), err)
		}
	}
	for range 10 { // in any order
		a := kept(t, "", 100, most)
		if err := a.add(&gathered{incident: &Incident{ID: at1504(1)}, after: cpuProfile("1 main.list")}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(a.list()[0].Files, " "); got != fileAfter {
			t.Fatalf("files %q, want the one profile that there is", got)
		}
	}
}

// TestEncoded: a profile that takes just as much as it may is kept, and one that takes
// a byte more is not.
func TestEncoded(t *testing.T) {
	p := cpuProfile("1 main.list")
	size := len(encoded(p, maxReleaseProfile))
	if size == 0 || len(encoded(p, size)) != size || encoded(p, size-1) != nil || encoded(nil, size) != nil {
		t.Errorf("of %d bytes", size)
	}
}

// TestEnds: each incident ends when its alert does, once; its page, its JSON and the
// list say so, and its other files stay.
func TestEnds(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		a := kept(t, dir, 100, 1<<20)
		for day := range 3 {
			add(t, a, Incident{ID: at1504(day + 1), Kind: KindAlert}, 10)
		}
		over := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
		a.end("unknown", over)
		for day := range 3 {
			id := at1504(day + 1)
			if a.find(id).incident.EndsAt != nil {
				t.Fatalf("%s: %s ended with another", name, id)
			}
			a.end(id, over)
			a.end(id, over.Add(time.Hour))
			e := a.find(id)
			if e.incident.EndsAt == nil || !e.incident.EndsAt.Equal(over) {
				t.Errorf("%s: %s ends at %v", name, id, e.incident.EndsAt)
			}
			for file, want := range map[string]string{fileJSON: `"ends_at": "2026-01-02T15:04:05Z"`, fileHTML: "resolved after", fileTrace: "\x00"} {
				if data, err := a.read(e, file); err != nil || !strings.Contains(string(data), want) {
					t.Errorf("%s: %s of %s has no %q, %v", name, file, id, want, err)
				}
			}
		}
	}
}

// TestIDLetters: letters and digits stay, at both ends of each range; a year that no id
// can have is none.
func TestIDLetters(t *testing.T) {
	at := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	want(t, newID(at, "azAZ09_`{@[/:"), "20260102T150405Z-azaz09_______-")
	for year, same := range map[int]bool{1969: false, 1970: true, 9999: true, 10000: false} {
		id := newID(time.Date(year, 6, 2, 15, 4, 5, 0, time.UTC), "a")
		if got := strings.HasPrefix(id, fmt.Sprint(year, "0602T150405Z")); got != same || !idPattern.MatchString(id) {
			t.Errorf("of %d: %s", year, id)
		}
	}
}
