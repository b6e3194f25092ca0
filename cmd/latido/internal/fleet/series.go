package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/cause"
)

// series is what Pyroscope answers of a type over time.
type series struct {
	Labels []struct{ Name, Value string }
	Points []struct {
		Timestamp json.Number
		Value     float64
	}
}

// series asks for the sums of each set of labels, at steps of so many seconds.
func (s *instances) series(ctx context.Context, id string, matchers []string, r cause.Range, step float64, by ...string) ([]series, error) {
	var answer struct{ Series []series }
	err := s.json(ctx, "SelectSeries", map[string]any{"profileTypeID": id, "labelSelector": "{" + strings.Join(matchers, ",") + "}",
		"start": r.From.UnixMilli(), "end": r.To.UnixMilli(), "step": step, "groupBy": by}, &answer)
	return answer.Series, err
}

// uploads is when the profiles of a type came, of each process.
type uploads [][]time.Time

func (s *instances) uploads(ctx context.Context, id string, matchers []string, r cause.Range) (all uploads, err error) {
	list, err := s.series(ctx, id, matchers, r, 1, "service_instance_id")
	for _, one := range list {
		var times []time.Time
		for _, p := range one.Points {
			at, _ := p.Timestamp.Int64()
			times = append(times, time.UnixMilli(at))
		}
		all = append(all, times)
	}
	return all, err
}

// newest is since when there are two profiles of every process.
func (all uploads) newest(r cause.Range) time.Time {
	since := r.To
	for _, times := range all {
		if len(times) < newest {
			return r.To.Add(-leastRange)
		}
		since = minTime(since, times[len(times)-newest])
	}
	return since.Add(-time.Second) // times are those of steps of a second
}

// since is how many profiles came of a process, and how much time they are of.
func (all uploads) since(from time.Time) (n int, profiled time.Duration) {
	processes := 0
	for _, times := range all {
		var gaps []time.Duration
		for i := 1; i < len(times); i++ {
			gaps = append(gaps, times[i].Sub(times[i-1]))
		}
		gap := usualGap
		if len(gaps) > 0 {
			slices.Sort(gaps)
			gap = gaps[len(gaps)/2]
		}
		of := 0
		for _, at := range times {
			if !at.Before(from) {
				of++
			}
		}
		if of > 0 {
			processes++
		}
		n += of
		profiled += time.Duration(of) * gap
	}
	if processes == 0 {
		return 0, 0
	}
	return max(n/processes, 1), profiled / time.Duration(processes)
}

// labelSets are those that a kind of profile has in two times, and that has any:
// where they are many, those of which there is now more or less than before.
func (s *instances) labelSets(ctx context.Context, id string, matchers []string, times ...cause.Range) (sets []map[string]string, err error) {
	type weight struct {
		labels map[string]string
		rates  [2]float64
	}
	weights := map[string]*weight{}
	var list []*weight
	for i, r := range times {
		if r.Length() == 0 {
			continue
		}
		found, err := s.series(ctx, id, matchers, r, r.Length().Seconds(), sampleLabels...)
		if err != nil {
			return nil, err
		}
		for _, one := range found {
			labels := map[string]string{}
			for _, l := range one.Labels {
				if l.Value != "" {
					labels[l.Name] = l.Value
				}
			}
			if len(labels) == 0 {
				continue
			}
			key := with(nil, labels)
			if weights[key] == nil {
				weights[key] = &weight{labels: labels}
				list = append(list, weights[key])
			}
			for _, p := range one.Points {
				weights[key].rates[i] += p.Value / r.Length().Seconds()
			}
		}
	}
	slices.SortStableFunc(list, func(a, b *weight) int {
		return cmp.Compare(math.Abs(b.rates[1]-b.rates[0]), math.Abs(a.rates[1]-a.rates[0]))
	})
	for _, one := range list[:min(len(list), maxLabelSets)] {
		sets = append(sets, one.labels)
	}
	return sets, nil
}
