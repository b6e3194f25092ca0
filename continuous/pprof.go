package continuous

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"runtime/pprof"
	"strconv"
	"time"

	"github.com/google/pprof/profile"
)

// maxProfileSeconds is how long /debug/pprof/profile lets a client wait.
const maxProfileSeconds = 60

// Handler serves what `go tool pprof` and people ask for:
//
//	/debug/pprof/                     what there is
//	/debug/pprof/profile?seconds=30   CPU, of the seconds to come and of the window that runs; ?last=5m for the past
//	/debug/pprof/heap, allocs, goroutine, mutex, block, threadcreate   as they are now; ?debug=1 for text
//	/debug/pprof/heap?last=5m, allocs?last=5m   what was allocated in that time
//	/debug/pprof/goroutineleak   goroutines that can never go on, as last looked for, where the Go runtime can
//	/debug/report                     Report; ?format=text, json or pprof, ?last=5m or ?from= and ?to= (RFC 3339), ?top=10
//
// CPU profiles come from the ring: Go allows one at a time, and it is ours.
// Where profiling is off, one is taken for the seconds asked for. While
// somebody else's runs the answer is 503, at once.
// net/http/pprof is not involved, so that nothing is on
// http.DefaultServeMux. It is safe for concurrent use. Who may ask is the
// caller's business.
func (p *Profiler) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/{$}", p.serveIndex)
	mux.HandleFunc("GET /debug/pprof/profile", p.serveCPU)
	for _, name := range snapshots {
		mux.HandleFunc("GET /debug/pprof/"+name, p.serveSnapshot(name))
	}
	mux.HandleFunc("GET /debug/pprof/goroutineleak", p.serveLeaks)
	mux.HandleFunc("GET /debug/report", p.serveReport)
	return mux
}

// snapshots are the runtime's profiles, by their names there.
var snapshots = []string{"heap", "allocs", "goroutine", "mutex", "block", "threadcreate"}

var index = template.Must(template.New("").Parse(`<!doctype html>
<title>profiles</title>
<h1>Profiles</h1>
<ul>
<li><a href="../report">report</a>: per endpoint, where CPU time and memory go and what requests wait for
<li><a href="profile?last=5m">profile</a>: CPU of the last five minutes, for go tool pprof; ?seconds=30 for what comes
{{range .}}<li><a href="{{.}}?debug=1">{{.}}</a>: as it is now; without debug=1 for go tool pprof
{{end}}<li><a href="goroutineleak">goroutineleak</a>: goroutines that can never go on, as last looked for, for go tool pprof
</ul>
`))

func (p *Profiler) serveIndex(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = index.Execute(w, snapshots)
}

// serveCPU answers from the ring: with the past, or once the windows cover the
// seconds asked for.
func (p *Profiler) serveCPU(w http.ResponseWriter, r *http.Request) {
	past := r.FormValue("last") != "" || r.FormValue("from") != "" || r.FormValue("to") != ""
	if past && p.running() {
		p.servePast(w, r, kindCPU)
		return
	}
	seconds := 30
	if s := r.FormValue("seconds"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxProfileSeconds {
			http.Error(w, fmt.Sprintf("seconds=%q: write a whole number from 1 to %d, or last=5m for the past", s, maxProfileSeconds), http.StatusBadRequest)
			return
		}
		seconds = n
	}
	length := time.Duration(seconds) * time.Second
	switch {
	case past:
		http.Error(w, errOff.Error()+"; ask for the seconds to come: ?seconds=30", http.StatusNotFound)
	case !p.running():
		serveNow(w, r, length)
	case p.blocked.Load():
		http.Error(w, errBlocked.Error(), http.StatusServiceUnavailable)
	default:
		from := time.Now()
		to := from.Add(length)
		if err := p.waitFor(r.Context(), to); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		p.serveMerged(w, kindCPU, from, to)
	}
}

var errBlocked = errors.New("another CPU profile runs in this process (runtime/pprof.StartCPUProfile), and Go allows one at a time: ask again once it has ended")

// serveNow takes a CPU profile of its own, where nobody profiles all the time.
// It ends with its client, and never stops anybody else's.
func serveNow(w http.ResponseWriter, r *http.Request, length time.Duration) {
	window := startCPU()
	if window == nil {
		http.Error(w, errBlocked.Error(), http.StatusServiceUnavailable)
		return
	}
	end := time.NewTimer(length)
	defer end.Stop()
	select {
	case <-end.C:
	case <-r.Context().Done():
	case <-window.ended: // by somebody else: what there is so far
	}
	c, ok := window.stop()
	if !ok {
		http.Error(w, errBlocked.Error(), http.StatusServiceUnavailable)
		return
	}
	asProfile(w, "profile")
	_, _ = w.Write(c.data)
}

// waitFor returns once a window ends after to, or it is plain that none will.
// The window that runs then is cut short: a client such as go tool pprof waits
// for half of its seconds more and no longer.
func (p *Profiler) waitFor(ctx context.Context, to time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, time.Until(to)+2*p.cfg.Interval+time.Second)
	defer cancel()
	due := time.NewTimer(time.Until(to))
	defer due.Stop()
	var tick <-chan time.Time // none before it is due
	ended := func(after time.Time) bool { return len(p.ring.between(kindCPU, after, time.Time{})) > 0 }
	for stopped := false; !stopped; {
		select {
		case <-ctx.Done():
			stopped = true
		case <-p.done:
			stopped = true
		case <-due.C:
			if p.blocked.Load() {
				return errBlocked
			}
			cut := p.cut
			if holder := process.held(); holder != nil { // the window may be another Profiler's
				cut = holder.cut
			}
			select {
			case cut <- struct{}{}:
			default: // somebody else has asked
			}
			poll := time.NewTicker(50 * time.Millisecond)
			defer poll.Stop()
			tick = poll.C
		case <-tick:
			if ended(to) {
				return nil
			}
		}
	}
	if ended(to.Add(-p.cfg.Interval)) {
		return nil // all but the last window
	}
	if p.blocked.Load() {
		return errBlocked
	}
	return errors.New("no CPU profile for that time: the service is stopping")
}

// servePast answers with what the ring has of a kind and the range that is asked for.
func (p *Profiler) servePast(w http.ResponseWriter, r *http.Request, k kind) {
	from, to, err := period(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.serveMerged(w, k, from, to)
}

// serveMerged answers with what the ring has of a kind and a range.
func (p *Profiler) serveMerged(w http.ResponseWriter, k kind, from, to time.Time) {
	if !p.running() {
		http.Error(w, errOff.Error(), http.StatusNotFound)
		return
	}
	merged, err := p.merged(k, from, to)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if merged == nil {
		why := ": the first window ends " + p.cfg.Interval.String() + " after the start"
		switch {
		case k == kindCPU && p.gapIn(from, to) > 0:
			why = ": " + otherProfile
		case k == kindHeap:
			why += ", and no garbage collection may have ended since"
		}
		http.Error(w, ErrNothing.Error()+why, http.StatusNotFound)
		return
	}
	writeProfile(w, merged)
}

func writeProfile(w http.ResponseWriter, p *profile.Profile) {
	asProfile(w, "profile")
	_ = p.Write(w)
}

func asProfile(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.pb.gz"`, name))
}

// serveSnapshot answers with one of the runtime's own profiles.
func (p *Profiler) serveSnapshot(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if (name == "heap" || name == "allocs") && r.FormValue("last") != "" {
			p.servePast(w, r, kindHeap)
			return
		}
		debug := 0
		if d := r.FormValue("debug"); d != "" {
			n, err := strconv.Atoi(d)
			if err != nil || n < 0 || n > 2 {
				http.Error(w, fmt.Sprintf("debug=%q: write 0 for go tool pprof, 1 or 2 for text", d), http.StatusBadRequest)
				return
			}
			debug = n
		}
		snapshot := pprof.Lookup(name)
		if snapshot == nil {
			http.Error(w, "this Go runtime has no profile "+name, http.StatusNotFound)
			return
		}
		if debug > 0 {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		} else {
			asProfile(w, name)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_ = snapshot.WriteTo(w, debug)
	}
}

func (p *Profiler) serveReport(w http.ResponseWriter, r *http.Request) {
	from, to, err := period(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	top := 0
	if s := r.FormValue("top"); s != "" {
		if top, err = strconv.Atoi(s); err != nil || top < 1 || top > 1000 {
			http.Error(w, fmt.Sprintf("top=%q: write a whole number from 1 to 1000", s), http.StatusBadRequest)
			return
		}
	}
	format := r.FormValue("format")
	switch format {
	case "", "text", "json":
	case "pprof":
		p.serveMerged(w, kindCPU, from, to)
		return
	default:
		http.Error(w, fmt.Sprintf("format=%q: write text, json or pprof", format), http.StatusBadRequest)
		return
	}
	report, err := p.Report(r.Context(), ReportOptions{From: from, To: to, Top: top})
	switch {
	case errors.Is(err, ErrNothing):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case format == "json":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(report)
	default:
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_ = report.WriteText(w)
	}
}

// period reads ?last=, or ?from= and ?to=. Without any it is all that is kept.
func period(r *http.Request) (from, to time.Time, err error) {
	if last := r.FormValue("last"); last != "" {
		d, err := time.ParseDuration(last)
		if err != nil || d <= 0 {
			return from, to, fmt.Errorf("last=%q: write a duration such as 5m or 90s", last)
		}
		return time.Now().Add(-d), to, nil
	}
	for name, t := range map[string]*time.Time{"from": &from, "to": &to} {
		if s := r.FormValue(name); s != "" {
			if *t, err = time.Parse(time.RFC3339, s); err != nil {
				return from, to, fmt.Errorf("%s=%q: write a time such as 2006-01-02T15:04:05Z", name, s)
			}
		}
	}
	return from, to, nil
}
