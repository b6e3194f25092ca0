package evidence

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/whole"
)

// The files of an incident.
const (
	fileJSON   = "incident.json"
	fileHTML   = "incident.html"
	fileBefore = "before.pb.gz"
	fileAfter  = "after.pb.gz"
	fileTrace  = "trace.out"
)

// idPattern is what an id looks like: a time, a name and some random letters.
var idPattern = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[a-z0-9_]{1,64}-[0-9a-f]{6}$`)

// newID makes an id that sorts by time and is a file's name everywhere.
func newID(at time.Time, name string) string {
	letters := strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_':
			return c
		case c >= 'A' && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '_'
	}, name)
	letters = letters[:min(len(letters), 64)]
	var random [3]byte
	_, _ = rand.Read(random[:]) // which never fails
	if at.Year() < 1970 || at.Year() > 9999 {
		at = time.Now()
	}
	return fmt.Sprintf("%s-%s-%s", at.UTC().Format("20060102T150405Z"), cmp.Or(letters, "alert"), hex.EncodeToString(random[:]))
}

// archive keeps incidents, bounded in number and bytes: the oldest go first. It
// is safe for concurrent use.
type archive struct {
	max      int
	maxBytes int64
	dir      string // "" for memory
	outcomes *outcomes
	once     func(kind string, say func(*slog.Logger))

	changing sync.Mutex // one incident changes at a time; taken before mu

	mu    sync.Mutex
	kept  []*entry // oldest first
	bytes int64
}

// entry is one incident. Its files are in memory where they could not be
// written.
type entry struct {
	incident *Incident // never changed: a new one takes its place
	files    map[string][]byte
	bytes    int64
}

// openArchive reads the incidents that are kept in a folder.
func openArchive(cfg Config, outcomes *outcomes, once func(string, func(*slog.Logger))) *archive {
	a := &archive{max: cfg.MaxIncidents, maxBytes: cfg.MaxBytes, outcomes: outcomes, once: once}
	if cfg.Dir == "" {
		return a
	}
	a.dir = filepath.Join(cfg.Dir, "incidents")
	found, err := readFolders(a.dir)
	if err != nil {
		a.once("incidents", func(log *slog.Logger) {
			log.Warn("incidents are kept in memory only: their folder cannot be used", "dir", a.dir, "error", err)
		})
		a.dir = ""
		return a
	}
	for _, e := range found {
		a.kept = append(a.kept, e)
		a.bytes += e.bytes
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.makeRoom()
	return a
}

// list returns the incidents, the newest first.
func (a *archive) list() []*Incident {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]*Incident, 0, len(a.kept))
	for _, e := range slices.Backward(a.kept) {
		list = append(list, e.incident)
	}
	return list
}

// find returns an incident and its files that are in memory; nil for none.
func (a *archive) find(id string) *entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := a.index(id); i >= 0 {
		e := *a.kept[i]
		return &e
	}
	return nil
}

func (a *archive) index(id string) int {
	return slices.IndexFunc(a.kept, func(e *entry) bool { return e.incident.ID == id })
}

// errTooLarge says that one incident alone is beyond the bound.
var errTooLarge = errors.New("it is larger than all incidents together may be")

// add keeps an incident with its profiles, also in place of what is kept of it: a
// cause may be found after the alert has ended, which is not forgotten then.
func (a *archive) add(g *gathered) error {
	a.changing.Lock()
	defer a.changing.Unlock()
	in := *g.incident
	if old := a.find(in.ID); old != nil {
		in.EndsAt = cmp.Or(in.EndsAt, old.incident.EndsAt)
	}
	files := map[string][]byte{}
	for name, p := range map[string]*profile.Profile{fileBefore: g.before, fileAfter: g.after} {
		if data := encoded(p, math.MaxInt); data != nil {
			files[name] = data
		}
	}
	if len(g.trace) > 0 {
		files[fileTrace] = g.trace
	}
	if total(files) > a.maxBytes/2 { // the words are worth more than the figures
		clear(files)
	}
	for _, name := range []string{fileBefore, fileAfter, fileTrace} {
		if files[name] != nil {
			in.Files = append(in.Files, name)
		}
	}
	if err := render(&in, g.after, files); err != nil {
		a.outcomes.count(outcomeFailed)
		return err
	}
	e := &entry{incident: &in, files: files, bytes: total(files)}
	if e.bytes > a.maxBytes {
		a.outcomes.count(outcomeFailed)
		return errTooLarge
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	replaces := false
	a.kept = slices.DeleteFunc(a.kept, func(old *entry) bool { // what was kept of it without its cause
		same := old.incident.ID == in.ID
		if same {
			a.bytes -= old.bytes
			replaces = old.files == nil
		}
		return same
	})
	a.kept = append(a.kept, e)
	a.bytes += e.bytes
	slices.SortStableFunc(a.kept, func(x, y *entry) int { return strings.Compare(x.incident.ID, y.incident.ID) })
	a.makeRoom()
	a.write(e, replaces)
	if in.None == "" {
		a.outcomes.count(outcomeSaved)
	} else {
		a.outcomes.count(outcomeWithout)
	}
	return nil
}

// write puts an entry's files into its folder, which may be there, or leaves them
// in memory.
func (a *archive) write(e *entry, replaces bool) {
	if a.dir == "" || len(e.files) == 0 {
		return
	}
	var err error
	if replaces {
		err = replaceFolder(filepath.Join(a.dir, e.incident.ID), e.files)
	} else {
		err = writeFolder(a.dir, e.incident.ID, e.files)
	}
	if err != nil {
		a.outcomes.count(outcomeFailed)
		a.once("write", func(log *slog.Logger) {
			log.Warn("an incident cannot be written, and is kept in memory", "incident", e.incident.ID, "error", err)
		})
		return
	}
	e.files = nil
}

// end writes into an incident that its alert is over.
func (a *archive) end(id string, at time.Time) {
	a.changing.Lock()
	defer a.changing.Unlock()
	e := a.find(id)
	if e == nil || e.incident.EndsAt != nil {
		return
	}
	in := *e.incident
	in.EndsAt = &at
	files := map[string][]byte{}
	var after *profile.Profile
	if slices.Contains(in.Files, fileAfter) {
		if data, err := a.read(e, fileAfter); err == nil {
			after, _ = profile.ParseData(data)
		}
	}
	if err := render(&in, after, files); err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.index(id)
	if i < 0 || a.kept[i].incident.EndsAt != nil {
		return
	}
	now := a.kept[i]
	now.incident = &in
	if now.files == nil { // it is in its folder: these two files are replaced
		if err := replaceFiles(filepath.Join(a.dir, id), files); err != nil {
			a.once("write", func(log *slog.Logger) { log.Warn("an incident cannot be written", "incident", id, "error", err) })
		}
		return
	}
	for name, data := range files {
		now.files[name] = data
	}
}

// read returns one file of an incident.
func (a *archive) read(e *entry, name string) ([]byte, error) {
	if e.files != nil {
		if data, ok := e.files[name]; ok {
			return data, nil
		}
		return nil, errNoFile
	}
	return whole.Read(filepath.Join(a.dir, e.incident.ID, name))
}

// errNoFile says that an incident has no such file.
var errNoFile = errors.New("the incident has no such file")

// makeRoom drops the oldest beyond the bounds.
func (a *archive) makeRoom() {
	for len(a.kept) > a.max || a.bytes > a.maxBytes {
		old := a.kept[0]
		a.kept = slices.Delete(a.kept, 0, 1)
		a.bytes -= old.bytes
		a.outcomes.count(outcomeDropped)
		if old.files == nil {
			removeFolder(filepath.Join(a.dir, old.incident.ID))
		}
	}
}

// render writes an incident as JSON and HTML.
func render(in *Incident, after *profile.Profile, files map[string][]byte) error {
	data, err := json.MarshalIndent(in, "", "  ")
	if err != nil {
		return fmt.Errorf("incident %s: %w", in.ID, err)
	}
	files[fileJSON] = append(data, '\n')
	page, err := page(in, after)
	if err != nil {
		return fmt.Errorf("incident %s: %w", in.ID, err)
	}
	files[fileHTML] = page
	return nil
}

// encoded is a profile as its file has it; nil for none, and for one of more than
// most bytes.
func encoded(p *profile.Profile, most int) []byte {
	var buf bytes.Buffer
	if p == nil || p.Write(&buf) != nil || buf.Len() > most {
		return nil
	}
	return buf.Bytes()
}

func total(files map[string][]byte) (n int64) {
	for _, data := range files {
		n += int64(len(data))
	}
	return n
}
