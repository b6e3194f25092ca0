package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/latido-dev/latido/continuous"
	"github.com/latido-dev/latido/internal/cause"
)

// endpoints is how many a service has whose profiles are in a pyroscope.
const endpoints = 40

var endpointPattern = regexp.MustCompile(`endpoint="/(\d+)"`)

// pyroscope has profiles of a service with many endpoints: i+1 goroutines wait in
// each, and 100 in none. Of the last ones there are more than before; the first is
// the busiest, as it was.
type pyroscope struct {
	merges atomic.Int64
	until  atomic.Int64 // the latest end of a question, in milliseconds
	silent string       // the endpoint whose newest profiles never come
	dumb   bool         // which endpoints there are never comes
}

func (s *pyroscope) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.HasSuffix(r.URL.Path, "/SelectSeries") {
		var asked struct {
			GroupBy []string
			End     int64
		}
		_ = json.Unmarshal(body, &asked)
		for until := s.until.Load(); asked.End > until && !s.until.CompareAndSwap(until, asked.End); until = s.until.Load() {
		}
		if asked.GroupBy[0] != "endpoint" {
			fmt.Fprintf(w, `{"series":[{"labels":[],"points":[{"timestamp":"%d","value":1}]}]}`, asked.End-20_000)
			return
		}
		if s.dumb {
			<-r.Context().Done()
			return
		}
		recent := recently(asked.End)
		list := []string{`{"labels":[],"points":[{"value":100}]}`}
		for i := range endpoints {
			value := 1
			switch {
			case i == 0 && recent: // as much a second as before, and more than most
				value = 20
			case i == 0:
				value = 100
			case recent:
				value += i
			}
			list = append(list, fmt.Sprintf(`{"labels":[{"name":"endpoint","value":"/%d"}],"points":[{"value":%d}]}`, i, value))
		}
		fmt.Fprintf(w, `{"series":[%s]}`, strings.Join(list, ","))
		return
	}
	s.merges.Add(1)
	count := map[int]int64{-1: 100}
	for i := range endpoints {
		count[i] = int64(i + 1)
	}
	if found := endpointPattern.FindSubmatch(body); found != nil {
		if string(found[1]) == s.silent && recently(endOf(body)) {
			<-r.Context().Done()
			return
		}
		i, _ := strconv.Atoi(string(found[1]))
		count = map[int]int64{i: count[i]}
	}
	p := &profile.Profile{SampleType: []*profile.ValueType{{Type: "goroutine", Unit: "count"}}}
	for i, n := range count {
		f := &profile.Function{ID: uint64(i + 2), Name: fmt.Sprint("wait", i)}
		l := &profile.Location{ID: f.ID, Line: []profile.Line{{Function: f}}}
		p.Function, p.Location = append(p.Function, f), append(p.Location, l)
		p.Sample = append(p.Sample, &profile.Sample{Location: []*profile.Location{l}, Value: []int64{n}})
	}
	var text bytes.Buffer
	_ = p.WriteUncompressed(&text)
	_, _ = w.Write(text.Bytes())
}

func recently(end int64) bool { return time.Since(time.UnixMilli(end)) < time.Minute }

// endOf is the end of the time that profiles are asked for of.
func endOf(question []byte) int64 {
	for len(question) > 0 {
		number, kind, n := protowire.ConsumeTag(question)
		if number == 4 {
			end, _ := protowire.ConsumeVarint(question[n:])
			return int64(end)
		}
		question = question[n+protowire.ConsumeFieldValue(number, kind, question[n:]):]
	}
	return 0
}

// twoTimes are a time that is long over, and the last two minutes.
func twoTimes(now time.Time) cause.Times {
	return cause.Times{Before: cause.Range{From: now.Add(-20 * time.Minute), To: now.Add(-10 * time.Minute)}, After: cause.Range{From: now.Add(-2 * time.Minute), To: now}}
}

// counted are the goroutines of a profile: how many in all, and of each endpoint.
func counted(p *profile.Profile) (sum int64, named map[string]int64) {
	named = map[string]int64{}
	for _, sample := range p.Sample {
		sum += sample.Value[0]
		if e := sample.Label["endpoint"]; e != nil {
			named[e[0]] += sample.Value[0]
		}
	}
	return sum, named
}

// TestLateParts: what an endpoint has of a profile is left out of both times where
// one of them does not come in time, and the rest is there in time.
func TestLateParts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		server *pyroscope
		named  int
	}{"one profile": {&pyroscope{silent: "38"}, maxLabelSets - 1}, "all labels": {&pyroscope{dumb: true}, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			lateParts(t, test.server, test.named)
		})
	}
}

// lateParts reads a profile of which so many endpoints are known.
func lateParts(t *testing.T, server *pyroscope, parts int) {
	s := &instances{domain: tienda, pyroscope: serving(t, server.ServeHTTP)}
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second) // of which all but one need hardly any
	defer cancel()
	begun := time.Now()
	pair, err := s.Profile(ctx, continuous.ProfileWaits, nil, twoTimes(begun))
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 3*time.Second {
		t.Errorf("what is late is waited for %v only", took)
	}
	for when, p := range map[string]*profile.Profile{"before": pair.Before, "after": pair.After} {
		sum, named := counted(p)
		if _, there := named["/38"]; there || sum != 100+endpoints*(endpoints+1)/2 || len(named) != parts {
			t.Errorf("%s: %d goroutines, %v", when, sum, named)
		}
	}
}

// TestNewestProfiles: as much time is read as has two profiles of every process,
// and of a process that has none of the last minute it is a minute.
func TestNewestProfiles(t *testing.T) {
	now := time.Now()
	ago := func(seconds ...int) (times []time.Time) {
		for _, s := range seconds {
			times = append(times, now.Add(time.Duration(-s)*time.Second))
		}
		return times
	}
	for name, test := range map[string]struct {
		came uploads
		from int
	}{
		"each 15 seconds":         {uploads{ago(50, 35, 20), ago(42, 27, 12)}, 36},
		"one came just now":       {uploads{ago(50, 35, 20), ago(3)}, 60},
		"none":                    {nil, 1},
		"each second, and seldom": {uploads{ago(3, 2, 1), ago(55, 25)}, 56},
	} {
		if from := test.came.newest(cause.Range{From: now.Add(-time.Second), To: now}); now.Sub(from) != time.Duration(test.from)*time.Second {
			t.Errorf("%s: since %v, want %d s", name, now.Sub(from), test.from)
		}
	}
	n, profiled := uploads{ago(50, 35, 20), ago(42, 27, 12)}.since(now.Add(-36 * time.Second))
	if n != 2 || profiled != 30*time.Second {
		t.Errorf("%d profiles of %v", n, profiled)
	}
}

// TestManyEndpoints: of more endpoints than Pyroscope is asked for, those of which
// there is more are told apart, the others are in the whole, alerts of one moment
// ask once, and the newest profiles are among those that are asked for.
func TestManyEndpoints(t *testing.T) {
	server := &pyroscope{}
	s := &instances{domain: tienda, pyroscope: serving(t, server.ServeHTTP)}
	now := time.Now()
	times := twoTimes(now)
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			pair, err := s.Profile(t.Context(), continuous.ProfileWaits, nil, times)
			if err != nil {
				t.Error(err)
				return
			}
			sum, named := counted(pair.After)
			unnamed := 0
			for _, sample := range pair.After.Sample {
				if sample.Label["endpoint"] == nil {
					unnamed++
				}
				sample.Value[0] = 0 // it is the asker's own
			}
			if sum != 100+endpoints*(endpoints+1)/2 || len(named) != maxLabelSets || named["/39"] != 40 || named["/0"] != 0 || unnamed != 1+endpoints-maxLabelSets {
				t.Errorf("%d goroutines, %d without an endpoint, %v", sum, unnamed, named)
			}
		})
	}
	wg.Wait()
	if n := server.merges.Load(); n > 2*2*(maxLabelSets+1) {
		t.Errorf("%d profiles were asked for", n)
	}
	if until := time.UnixMilli(server.until.Load()); until.Before(now) {
		t.Errorf("profiles are asked for until %v before the alert", now.Sub(until))
	}
}

// TestNoPyroscope: an answer that is none of Pyroscope's is told with whose it is.
func TestNoPyroscope(t *testing.T) {
	uploads := fmt.Sprintf(`{"series":[{"points":[{"timestamp":"%d","value":1}]}]}`, time.Now().UnixMilli())
	for _, answer := range []string{"<html>", uploads} { // no JSON, and no profile
		address := serving(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
		s := &instances{domain: tienda, pyroscope: address}
		if _, err := s.Profile(t.Context(), continuous.ProfileMutex, nil, twoTimes(time.Now())); err == nil || !strings.Contains(err.Error(), address.Host) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
