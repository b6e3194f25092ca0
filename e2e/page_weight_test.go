package e2e

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/latido-dev/latido/e2e/servers"
)

// testPageWeight has what each view weighs on the wire, when a browser that has
// none of it shows the first text, and, for as long as PAGE_OPEN says, what an open
// page costs the service. The figures of docs/performance.md are what it logs.
func testPageWeight(t *testing.T, shop shop) {
	for path := range views {
		b := startBrowser(t, shop.URL(), desktop) // with an empty cache
		b.open(t, path)
		b.until(t, servers.Patience, "performance.getEntriesByName('first-contentful-paint').length > 0")
		weight := value[float64](t, b, `[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].filter((e) => !e.name.includes("speedscope")).reduce((sum, e) => sum + e.encodedBodySize, 0)`)
		paint := value[float64](t, b, "performance.getEntriesByName('first-contentful-paint')[0].startTime")
		t.Logf("%-50.50s %5.1f KB, first text after %.0f ms", path, weight/1000, paint)
		if weight > 100_000 {
			t.Errorf("%s weighs %.0f bytes", path, weight)
		}
	}
	if open := os.Getenv("PAGE_OPEN"); open != "" {
		pageOpen(t, open)
	}
}

// pageOpen measures the service with the first view open and without it, for as
// long each: what it uses more of is the page's. The two take turns, and the
// traffic is little and of cheap requests, so that it varies less than that.
func pageOpen(t *testing.T, text string) {
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("PAGE_OPEN: %v", err)
	}
	shop := startShop(t, nil, "-rate=2", "-mix=ver=28,crear=20,carrito=10,listar=10,cambiar=6,pagos=6,cancelar=3,salud=2")
	b := startBrowser(t, shop.URL(), desktop)
	b.open(t, "/")
	b.until(t, servers.Patience, "document.querySelectorAll('.endpoints tbody tr').length > 5")
	const turns = 5
	var open, closed float64 // seconds of CPU time
	updates := 0
	for turn := range turns {
		b.open(t, "/")
		asked := b.requests("/")
		open += cpuWithin(t, shop, length/turns)
		asked = b.requests("/") - asked
		updates += asked
		b.do(t, chromedp.Navigate("about:blank"))
		closed += cpuWithin(t, shop, length/turns)
		t.Logf("turn %d: %d updates", turn+1, asked)
	}
	if updates == 0 {
		t.Error("the page that is open asks nothing")
	}
	t.Logf("open for %v, with %d updates: %.2f s of CPU time, %.3f %% of a core; as long without the page: %.2f s; the page takes %.2f s, %.3f %%",
		length, updates, open, open/length.Seconds()*100, closed, open-closed, (open-closed)/length.Seconds()*100)
}

// cpuTime is how much CPU time the service has used.
func cpuTime(t *testing.T, shop shop) float64 {
	t.Helper()
	families, err := shop.families()
	if err != nil {
		t.Fatal(err)
	}
	return families["tienda_process_cpu_time_seconds_total"].GetMetric()[0].GetCounter().GetValue()
}

// cpuWithin is how much it uses within a time.
func cpuWithin(t *testing.T, shop shop, length time.Duration) float64 {
	t.Helper()
	before, began := cpuTime(t, shop), time.Now()
	servers.WaitFor(t, length+servers.Patience, "the time to pass", func() error {
		if time.Since(began) < length {
			return errors.New("not yet")
		}
		return nil
	})
	return cpuTime(t, shop) - before
}
