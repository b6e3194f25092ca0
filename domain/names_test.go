package domain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"github.com/latido-dev/latido/internal/promname"
	"github.com/latido-dev/latido/internal/testkit"
)

// TestNames is the contract as a table: every metric of the shop, on its way
// in and on its way out.
func TestNames(t *testing.T) {
	var b strings.Builder
	for _, m := range load(t, "testdata/tienda.good.yaml").Metrics() {
		fmt.Fprintf(&b, "%-28s %-36s %-10s %-13s %s{%s}\n", m.Key, m.Name, m.Kind, m.Unit, m.Family, strings.Join(m.labels(), ","))
	}
	testkit.Golden(t, "testdata/tienda.names.txt", []byte(b.String()))
}

// TestBuckets wants every histogram to say its bounds: rules and their tests
// are made of them.
func TestBuckets(t *testing.T) {
	for _, m := range load(t, "testdata/tienda.good.yaml").Metrics() {
		if has := len(m.Buckets) > 0; has != (m.Kind == KindHistogram) || !slices.IsSorted(m.Buckets) {
			t.Errorf("%s is a %s with the buckets %v", m.Key, m.Kind, m.Buckets)
		}
	}
}

func TestMetric(t *testing.T) {
	d := load(t, "testdata/tienda.good.yaml")
	for _, key := range []string{"requests", "valor_pedido"} {
		if m, ok := d.Metric(key); !ok || m.Key != key || m.Description == "" || m.Family == "" {
			t.Errorf("Metric(%q) = %+v, %v", key, m, ok)
		}
	}
	if m, ok := d.Metric("tienda_requests_total"); ok {
		t.Errorf("a family's name is no key: %+v", m)
	}
	if m, _ := d.Metric("valor_pedido"); !slices.Equal(m.Buckets, []float64{10000, 50000, 100000, 500000}) {
		t.Errorf("buckets %v", m.Buckets)
	}
	if m, _ := (Domain{Prefix: "tienda", Events: []Event{{Name: "espera", Kind: KindHistogram}}}).Metric("espera"); !slices.Equal(m.Buckets, defaultBuckets) {
		t.Errorf("buckets %v, want the default", m.Buckets)
	}
}

// TestNamesAreLegal holds all names of all good files against Prometheus.
func TestNamesAreLegal(t *testing.T) {
	for _, file := range glob(t, "testdata/*.good.yaml") {
		d := load(t, file)
		seen := make(map[string]bool)
		for _, m := range d.Metrics() {
			for _, name := range seriesOf(m) {
				if !model.LegacyValidation.IsValidMetricName(name) || !strings.HasPrefix(name, d.Prefix+"_") || seen[name] {
					t.Errorf("%s: the series %q is no legal name, has no prefix, or is there twice", file, name)
				}
				seen[name] = true
			}
			for _, label := range m.labels() {
				if !model.LegacyValidation.IsValidLabelName(label) {
					t.Errorf("%s: %s: illegal label %q", file, m.Key, label)
				}
			}
		}
	}
}

// TestNamesLint asks Prometheus' own linter, which promtool check metrics
// runs, about every family that Latido names.
func TestNamesLint(t *testing.T) {
	types := map[Kind]dto.MetricType{
		KindCounter: dto.MetricType_COUNTER, KindUpDown: dto.MetricType_GAUGE, KindGauge: dto.MetricType_GAUGE, KindHistogram: dto.MetricType_HISTOGRAM,
	}
	for _, m := range load(t, "testdata/tienda.good.yaml").Metrics() {
		metric := &dto.Metric{}
		for _, label := range m.labels() {
			metric.Label = append(metric.Label, &dto.LabelPair{Name: &label, Value: new("x")})
		}
		family := &dto.MetricFamily{Name: &m.Family, Help: &m.Description, Type: types[m.Kind].Enum(), Metric: []*dto.Metric{metric}}
		problems, err := promlint.NewWithMetricFamilies([]*dto.MetricFamily{family}).Lint()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range problems {
			got = append(got, p.Text)
		}
		if known := testkit.KnownToLint[m.Key]; strings.Join(got, "\n") != known {
			t.Errorf("promlint: %s: %q, want %q", m.Family, got, known)
		}
	}
}

func TestService(t *testing.T) {
	if got := (Domain{Prefix: "tienda"}).Service(); got != "tienda-api" {
		t.Error(got)
	}
	if got := (Domain{Prefix: "tienda", App: "shop"}).Service(); got != "shop" {
		t.Error(got)
	}
	if got := promname.Label(""); got != "" {
		t.Error(got)
	}
}
