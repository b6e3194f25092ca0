package telemetry

import (
	"log/slog"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// names are those of families, and the type of each.
type names map[string]dto.MetricType

func namesOf(families []family) names {
	n := names{}
	for i := range families {
		n[families[i].Family] = prometheusType(families[i].Kind)
	}
	return n
}

// suffixes are what the series of a histogram add to its name.
var suffixes = []string{"_bucket", "_sum", "_count"}

func compound(t dto.MetricType) bool {
	return t == dto.MetricType_HISTOGRAM || t == dto.MetricType_SUMMARY || t == dto.MetricType_GAUGE_HISTOGRAM
}

// taken returns the family of n whose series a family of another would be mixed
// with: that of the same name, or one of the two is a histogram with a series
// of that name. It is "" if there is none.
func (n names) taken(family string, t dto.MetricType) string {
	if _, ok := n[family]; ok {
		return family
	}
	for _, suffix := range suffixes {
		if base, ok := strings.CutSuffix(family, suffix); ok {
			if other, ok := n[base]; ok && compound(other) {
				return base
			}
		}
		if _, ok := n[family+suffix]; ok && compound(t) {
			return family + suffix
		}
	}
	return ""
}

// clash counts and tells that somebody has a name of ours.
func (s *diagnostics) clash(family string) {
	s.collectErrors[collectClash].Add(1)
	s.once("clash/"+family, func(log *slog.Logger) {
		log.Error("another library's instrument has the name of one of ours: only ours is served", "family", family)
	})
}
