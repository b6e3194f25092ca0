package generate_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
)

// broken is a figure as floating point leaves it: 55.00000000000001.
var broken = regexp.MustCompile(`\d\.\d*(0{6,}|9{6,})\d+\b`)

// TestFiguresAreDecimals: limits that a person writes with a few digits come to
// every generated file with as many, whatever is multiplied on the way.
func TestFiguresAreDecimals(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not a secret
	decimal := func(below int) string { return fmt.Sprintf("%d.%d", 1+random.IntN(below-1), random.IntN(1000)) }
	var b strings.Builder
	b.WriteString("prefix: tienda\napp: tienda-api\nentity: pedido\nevents:\n  - {name: pagos, attributes: {resultado: [si, no]}}\n" +
		"  - {name: valor, kind: histogram, unit: COP, buckets: [10, 50]}\n  - {name: nivel, kind: gauge, unit: \"%\"}\nthresholds:\n")
	for i := range 20 {
		for kind, of := range map[string]string{
			"CPU":   "metric: cpu_usage, above: " + decimal(99) + "%",
			"Pagos": "event: pagos, stat: ratio, where: {resultado: no}, above: " + decimal(99) + "%",
			"Nivel": "event: nivel, above: " + decimal(99) + "%",
			"Ritmo": "event: pagos, stat: rate, per: 1h, above: " + decimal(5000),
			"Lento": "metric: response_duration, stat: mean, by: endpoint, above: " + fmt.Sprint(1+random.IntN(9999)) + "ms",
		} {
			fmt.Fprintf(&b, "  - {name: %s%d, %s}\n", kind, i, of)
		}
	}
	b.WriteString("slos:\n")
	for i := range 10 {
		fmt.Fprintf(&b, "  - {name: slo%d, objective: %d.%d, good: {status: \"!~5..\"}}\n", i, 90+random.IntN(10), 1+random.IntN(99))
	}
	dir := t.TempDir()
	clitest.Put(t, dir, "domain.yaml", b.String())
	out := filepath.Join(dir, "out")
	if code, stdout, stderr := latido("generate", "all", "-domain", filepath.Join(dir, "domain.yaml"), "-dir", out); code != 0 {
		t.Fatalf("seed %d: exit %d\n%s%s\n%s", seed, code, stdout, stderr, b.String())
	}
	files := clitest.Contents(t, out)
	if len(files) < 10 {
		t.Fatalf("%d files", len(files))
	}
	for path, content := range files {
		for _, figure := range broken.FindAllString(content, 3) {
			t.Errorf("seed %d: %s has the figure %s", seed, path, figure)
		}
	}
}
