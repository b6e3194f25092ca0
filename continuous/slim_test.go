package continuous

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/latido-dev/latido/internal/profiles"
)

// large writes a gzipped CPU profile without ever having it: so many samples of
// 1, each with a span id of its own, of one of so many stacks, depth frames
// deep, half of them of each of two endpoints. It returns its size, too.
func large(t testing.TB, samples, different, depth int) (data []byte, size int) {
	t.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		size += len(b)
		if _, err := z.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	message := func(number protowire.Number, b []byte) {
		write(protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), b))
	}
	pairs := func(values ...uint64) (b []byte) { // a number, and its value
		for i := 0; i < len(values); i += 2 {
			b = protowire.AppendVarint(protowire.AppendTag(b, protowire.Number(values[i]), protowire.VarintType), values[i+1])
		}
		return b
	}
	const functions, texts = 1000, 7
	message(1, pairs(1, 1, 2, 2))
	for i := range samples {
		var locations, values []byte
		stack := i % different
		for d := range depth {
			locations = protowire.AppendVarint(locations, uint64((stack>>(d%17)*31+d)%functions+1))
		}
		values = protowire.AppendVarint(values, 1)
		b := protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), locations)
		b = protowire.AppendBytes(protowire.AppendTag(b, 2, protowire.BytesType), values)
		b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), pairs(1, 3, 2, uint64(4+stack%2)))
		b = protowire.AppendBytes(protowire.AppendTag(b, 3, protowire.BytesType), pairs(1, 6, 2, uint64(texts+functions+i)))
		message(2, b)
	}
	for i := range uint64(functions) {
		message(4, append(pairs(1, i+1), protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), pairs(1, i+1))...))
		message(5, pairs(1, i+1, 2, texts+i))
	}
	for _, text := range []string{"", "cpu", "nanoseconds", profiles.LabelEndpoint, "/a", "/b", profiles.LabelSpanID} {
		message(6, []byte(text))
	}
	for i := range functions {
		message(6, fmt.Appendf(nil, "example.com/shop.function%d", i))
	}
	for i := range samples {
		message(6, fmt.Appendf(nil, "%016x", i))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), size
}

// allocated is how many bytes fn allocates in all: it has less at any time.
func allocated(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	fn()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A profile of 200,000 samples, and one of 100 MB, take no more memory than is
// said, and lose no time of any endpoint.
func TestLargeProfile(t *testing.T) {
	const most = 200 << 20 // allocated in all, and a part of it at a time
	for name, c := range map[string]struct {
		samples, different, depth, size int
		least                           int64 // that a stack which is kept has
	}{
		"as it is":            {4000, 100, 20, 0, 40},
		"more samples":        {maxSamples + 16_000, 16_000, 20, 0, 2}, // as many as are kept come twice
		"no two are the same": {200_000, 200_000, 40, 10 << 20, 1},
		"100 MB":              {200_000, 50_000, 270, 100 << 20, 4},
	} {
		t.Run(name, func(t *testing.T) {
			data, size := large(t, c.samples, c.different, c.depth)
			if size < c.size {
				t.Fatalf("%d bytes", size)
			}
			var small []byte
			var had int
			var err error
			if n := allocated(func() { small, had, err = slim(data) }); n > most {
				t.Errorf("%d MiB were allocated for %d MiB, want %d at most", n>>20, size>>20, most>>20)
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.samples <= maxSamples {
				if had != 0 || &small[0] != &data[0] {
					t.Errorf("it is not as it was: %d samples", had)
				}
				return
			}
			if had != c.samples {
				t.Errorf("it had %d samples, want %d", had, c.samples)
			}
			p, labelled, err := capture{data: small}.settled(profiles.CPUDepth)
			if err != nil || labelled == nil {
				t.Fatal(err)
			}
			if labelled, err = p.parse(); err != nil {
				t.Fatal(err)
			}
			if len(labelled.Sample) > maxSamples+3 || len(small) > 2<<20 {
				t.Errorf("%d samples, %d bytes", len(labelled.Sample), len(small))
			}
			if sum := total(labelled, "cpu"); sum != int64(c.samples) {
				t.Errorf("%d in all, want %d", sum, c.samples)
			}
			sums := map[string]int64{}
			for _, s := range labelled.Sample {
				if s.Value[0] < c.least {
					t.Errorf("%d of %s", s.Value[0], s.Location[0].Line[0].Function.Name)
				}
				sums[strings.Join(append(s.Label[profiles.LabelEndpoint], s.Label[profiles.LabelStartedBy]...), "")] += s.Value[0]
			}
			if sums["/a"] != int64(c.samples/2) || sums["/b"] != int64(c.samples/2) {
				t.Errorf("by endpoint %v, want half of each", sums)
			}
		})
	}
}

// 100,000 goroutines are not looked at: it would stop the process, and take a
// lot of memory.
func TestTooManyGoroutines(t *testing.T) {
	quit := make(chan struct{})
	var ended sync.WaitGroup
	for range tooManyGoroutines + 1 {
		ended.Go(func() { <-quit })
	}
	defer func() { close(quit); ended.Wait() }()
	p := Filled()
	const most = 1 << 20
	if n := allocated(func() {
		if _, err := p.Look(t.Context(), 5, time.Millisecond); !errors.Is(err, ErrNothing) {
			t.Errorf("a look: %v", err)
		}
		if _, _, err := p.Goroutines(time.Time{}); !errors.Is(err, ErrNothing) {
			t.Errorf("all goroutines: %v", err)
		}
	}); n > most {
		t.Errorf("%d bytes were allocated, want %d at most", n, most)
	}
}

// What is no profile is dropped, and said.
func FuzzSlim(f *testing.F) {
	data, _ := large(f, 3, 2, 4)
	f.Add(data)
	f.Add([]byte("no profile"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, _, err := addedUp(data); err == nil && p == nil {
			t.Error("neither a profile nor an error")
		}
		if small, _, err := slim(data); err == nil {
			if _, err := profile.ParseData(small); err != nil && !bytes.Equal(small, data) {
				t.Error(err)
			}
		}
	})
}

// TestSamplesIn counts samples, and no functions, strings or broken fields.
func TestSamplesIn(t *testing.T) {
	t.Parallel()
	data, _ := large(t, 7, 3, 2)
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := samplesIn(raw); n != 7 || err != nil {
		t.Errorf("%d of 7 samples, %v", n, err)
	}
	if n, err := samplesIn(nil); n != 0 || err != nil {
		t.Errorf("%d samples of nothing, %v", n, err)
	}
	if _, err := samplesIn(raw[:len(raw)-1]); err == nil {
		t.Error("a profile that is cut has no error")
	}
}

// TestTooLargeUnpacked: what unpacks to more than may be read is refused, and not cut
// off; so is one large field.
func TestTooLargeUnpacked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fields, size int
		large        bool
	}{
		"many fields":             {maxGoneBy/maxOneField + 1, maxOneField, true},
		"many, cut off after one": {maxGoneBy>>19 + 1, 1<<19 - 5, true}, // 5 bytes say what it is, and how long
		"a large field":           {1, maxOneField + 1, true},
		"as it may be":            {3, maxOneField, false},
	} {
		var one bytes.Buffer
		z := gzip.NewWriter(&one)
		if _, err := z.Write(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), make([]byte, c.size))); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		// What is compressed one after the other unpacks to one text.
		data := bytes.Repeat(one.Bytes(), c.fields)
		err := fields(data, func(protowire.Number, []byte, []byte) error { return nil })
		if errors.Is(err, errTooLarge) != c.large || !c.large && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
