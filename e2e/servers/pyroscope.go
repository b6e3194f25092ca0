package servers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"testing"
	"time"
)

// Pyroscope is a running Pyroscope server, empty at first. Its URL takes
// profiles, at /ingest and by its push API.
type Pyroscope struct {
	*Running
}

// StartPyroscope starts a Pyroscope server and waits until it is ready. flags
// are added to its command line.
func StartPyroscope(t testing.TB, flags ...string) *Pyroscope {
	t.Helper()
	binary := Path(t, "pyroscope")
	dir := t.TempDir()
	return &Pyroscope{Run(t, Process{
		Name:  "pyroscope",
		Ports: 3,
		Ready: "/ready",
		Command: func(addrs []string) *exec.Cmd {
			cmd := exec.Command(binary,
				"-target=all",
				"-server.http-listen-address=127.0.0.1", "-server.http-listen-port="+port(addrs[0]),
				"-server.grpc-listen-address=127.0.0.1", "-server.grpc-listen-port="+port(addrs[1]),
				"-memberlist.bind-addr=127.0.0.1", "-memberlist.advertise-addr=127.0.0.1",
				"-memberlist.bind-port="+port(addrs[2]),
				"-pyroscopedb.data-path="+dir,
				"-ring.store=inmemory",
				// It waits 15 s by default, for other members that do not exist.
				"-ingester.min-ready-duration=0s",
				"-self-profiling.disable-push=true",
				"-usage-stats.enabled=false",
			)
			// Each part finds the others by the address that it puts in a ring:
			// the machine's own one, where nobody listens, unless it is told.
			for _, ring := range []string{
				"distributor.ring.instance-addr", "ingester.lifecycler.addr", "query-frontend.instance-addr",
				"query-scheduler.ring.instance-addr", "store-gateway.sharding-ring.instance-addr",
				"compactor.ring.instance-addr", "overrides-exporter.ring.instance-addr",
			} {
				cmd.Args = append(cmd.Args, "-"+ring+"=127.0.0.1")
			}
			cmd.Args = append(cmd.Args, flags...)
			cmd.Dir = dir // for what it writes beside its data
			return cmd
		},
	})}
}

// Flamebearer is Pyroscope's form of a flame graph.
type Flamebearer struct {
	// Names are the names that Levels refer to, each once. The first is "total".
	Names []string `json:"names"`

	// Levels are the rows from the root down. A row has four numbers a bar:
	// the gap to the bar before, its total, its self value, its index in Names.
	Levels [][]int64 `json:"levels"`

	// NumTicks is the total of the profile, in the unit of its type.
	NumTicks int64 `json:"numTicks"`
}

// Self returns what each function has by itself, without what it calls. The
// names are as the profile has them, such as "main.work"; one that has nothing
// by itself is left out.
func (f *Flamebearer) Self() map[string]int64 {
	self := map[string]int64{}
	for _, row := range f.Levels {
		for bar := range slices.Chunk(row, 4) {
			if bar[2] > 0 {
				self[f.Names[bar[3]]] += bar[2]
			}
		}
	}
	return self
}

// Total returns what a function has with all that it calls. Where it calls
// itself, only the outermost call counts.
func (f *Flamebearer) Total(name string) int64 {
	type span struct{ from, to int64 }
	var counted []span
	var total int64
	for _, row := range f.Levels {
		end := int64(0)
		for bar := range slices.Chunk(row, 4) {
			from := end + bar[0]
			end = from + bar[1]
			if f.Names[bar[3]] != name {
				continue
			}
			inside := func(s span) bool { return s.from <= from && end <= s.to }
			if !slices.ContainsFunc(counted, inside) {
				counted = append(counted, span{from, end})
				total += bar[1]
			}
		}
	}
	return total
}

// Render returns the flame graph of a query such as
// `process_cpu:cpu:nanoseconds:cpu:nanoseconds{service_name="tienda"}`, over
// the time from then until now. Without any profile its NumTicks is 0. A server
// whose parts have just found each other may cancel a query: it is asked again.
func (p *Pyroscope) Render(t testing.TB, query string, from time.Time) *Flamebearer {
	t.Helper()
	var flame *Flamebearer
	WaitFor(t, Patience, query, func() (err error) {
		flame, err = p.render(t.Context(), query, from)
		return err
	})
	return flame
}

// WaitForProfile renders a query until there is a profile to show, and returns
// its flame graph. It fails the test after timeout.
func (p *Pyroscope) WaitForProfile(t testing.TB, timeout time.Duration, query string, from time.Time) *Flamebearer {
	t.Helper()
	var flame *Flamebearer
	WaitFor(t, timeout, query, func() error {
		var err error
		flame, err = p.render(t.Context(), query, from)
		if err == nil && flame.NumTicks == 0 {
			err = fmt.Errorf("no profile since %s", from.Format(time.TimeOnly))
		}
		return err
	})
	return flame
}

func (p *Pyroscope) render(ctx context.Context, query string, from time.Time) (*Flamebearer, error) {
	body, err := get(ctx, p.URL()+"/pyroscope/render?"+url.Values{
		"query": {query},
		"from":  {strconv.FormatInt(from.UnixMilli(), 10)},
		"until": {strconv.FormatInt(time.Now().UnixMilli(), 10)},
	}.Encode())
	if err != nil {
		return nil, err
	}
	var rendered struct {
		Flamebearer Flamebearer `json:"flamebearer"`
	}
	if err := json.Unmarshal(body, &rendered); err != nil {
		return nil, fmt.Errorf("render %s: %w", query, err)
	}
	return &rendered.Flamebearer, nil
}

// SpanProfile returns what the functions have by themselves in the samples that
// were taken in some spans, as Grafana asks for them beside a trace.
func (p *Pyroscope) SpanProfile(t testing.TB, profileType, selector string, from time.Time, spans ...string) map[string]int64 {
	t.Helper()
	var answer struct {
		Flamegraph struct {
			Names  []string `json:"names"`
			Levels []struct {
				Values []json.Number `json:"values"`
			} `json:"levels"`
		} `json:"flamegraph"`
	}
	p.ask(t, "SelectMergeSpanProfile", map[string]any{
		"profileTypeID": profileType, "labelSelector": selector, "spanSelector": spans,
		"start": from.UnixMilli(), "end": time.Now().UnixMilli(),
	}, &answer)
	flame := Flamebearer{Names: answer.Flamegraph.Names}
	for _, level := range answer.Flamegraph.Levels {
		row := make([]int64, len(level.Values))
		for i, v := range level.Values {
			row[i], _ = v.Int64() // protobuf writes an int64 as a string of digits
		}
		flame.Levels = append(flame.Levels, row)
	}
	return flame.Self()
}

// ProfileTypes returns the ids of the profile types that the server has, such
// as "process_cpu:cpu:nanoseconds:cpu:nanoseconds", sorted.
func (p *Pyroscope) ProfileTypes(t testing.TB) []string {
	t.Helper()
	var answer struct {
		ProfileTypes []struct{ ID string }
	}
	p.ask(t, "ProfileTypes", map[string]any{}, &answer)
	var ids []string
	for _, profileType := range answer.ProfileTypes {
		ids = append(ids, profileType.ID)
	}
	slices.Sort(ids)
	return ids
}

// LabelValues returns the values of a label over all profiles, sorted.
func (p *Pyroscope) LabelValues(t testing.TB, name string) []string {
	t.Helper()
	var answer struct{ Names []string }
	p.ask(t, "LabelValues", map[string]any{"name": name}, &answer)
	slices.Sort(answer.Names)
	return answer.Names
}

// ask calls a method of Pyroscope's query service. Without a time range, as
// here, it answers for what was taken lately. It is asked again as by Render.
func (p *Pyroscope) ask(t testing.TB, method string, question, answer any) {
	t.Helper()
	text, err := json.Marshal(question)
	if err != nil {
		t.Fatal(err)
	}
	url := p.URL() + "/querier.v1.QuerierService/" + method
	WaitFor(t, Patience, url, func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(text))
		if err != nil {
			return err
		}
		request.Header.Set("Content-Type", "application/json")
		body, err := do(request)
		if err != nil {
			return err
		}
		return json.Unmarshal(body, answer)
	})
}

// port returns the port of an address.
func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr) // the address is one that the kernel gave
	return port
}
