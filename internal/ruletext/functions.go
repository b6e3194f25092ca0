package ruletext

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"regexp"
	"strings"
	"text/template"
	"time"
	"unicode"

	"github.com/prometheus/common/helpers/templates"
	"github.com/prometheus/common/model"
)

// sample is one of the answer to a query.
type sample struct {
	Labels map[string]string
	Value  any
}

// functions are those that a template of a rule has in Prometheus, with the
// same types: https://prometheus.io/docs/prometheus/latest/configuration/template_reference/.
var functions = template.FuncMap{
	"query": func(string) []*sample { return []*sample{{map[string]string{}, 1.0}} },
	"first": func(all []*sample) (*sample, error) {
		if len(all) == 0 {
			return nil, errors.New("first() called on vector with no elements")
		}
		return all[0], nil
	},
	"label":       func(name string, s *sample) string { return s.Labels[name] },
	"value":       func(s *sample) any { return s.Value },
	"strvalue":    func(s *sample) string { return s.Labels["__value__"] },
	"sortByLabel": func(_ string, all []*sample) []*sample { return all },
	"args": func(args ...any) map[string]any {
		named := map[string]any{}
		for i, a := range args {
			named[fmt.Sprintf("arg%d", i)] = a
		}
		return named
	},
	"reReplaceAll": func(pattern, with, text string) (string, error) {
		re, err := regexp.Compile(pattern)
		if err != nil {
			return "", err
		}
		return re.ReplaceAllString(text, with), nil
	},
	"match":    regexp.MatchString,
	"safeHtml": func(text string) string { return text },
	"title":    title,
	"toUpper":  strings.ToUpper,
	"toLower":  strings.ToLower,
	"graphLink": func(expr string) string {
		return "/graph?g0.expr=" + url.QueryEscape(expr) + "&g0.tab=0"
	},
	"tableLink": func(expr string) string {
		return "/graph?g0.expr=" + url.QueryEscape(expr) + "&g0.tab=1"
	},
	"stripPort": func(address string) string {
		if host, _, err := net.SplitHostPort(address); err == nil {
			return host
		}
		return address
	},
	"stripDomain":        stripDomain,
	"humanize":           number(func(v float64) string { return humanize(v, 1000, "kMGTPEZY") }),
	"humanize1024":       number(humanize1024),
	"humanizeDuration":   templates.HumanizeDuration,
	"humanizePercentage": number(func(v float64) string { return four(v*100) + "%" }),
	"humanizeTimestamp":  templates.HumanizeTimestamp,
	"toTime": func(v any) (*time.Time, error) {
		f, err := templates.ConvertToFloat(v)
		if err != nil {
			return nil, err
		}
		return templates.FloatToTime(f)
	},
	"toDuration": func(v any) (*time.Duration, error) {
		f, err := templates.ConvertToFloat(v)
		d := time.Duration(f * float64(time.Second))
		return &d, err
	},
	"now":         func() float64 { return 0 },
	"pathPrefix":  func() string { return "" },
	"externalURL": func() string { return "" },
	"parseDuration": func(text string) (float64, error) {
		d, err := model.ParseDurationAllowNegative(text)
		return time.Duration(d).Seconds(), err
	},
	"urlQueryEscape": url.QueryEscape,
}

// number is a function that takes whatever Prometheus takes for a number.
func number(show func(float64) string) func(any) (string, error) {
	return func(v any) (string, error) {
		f, err := templates.ConvertToFloat(v)
		if err != nil {
			return "", err
		}
		return show(f), nil
	}
}

// title starts every word with a capital.
func title(text string) string {
	before := ' '
	return strings.Map(func(r rune) rune {
		start := !unicode.IsLetter(before) && !unicode.IsDigit(before) && before != '_' && before != '\''
		if before = r; start {
			return unicode.ToTitle(r)
		}
		return r
	}, text)
}

// stripDomain leaves the host's first word, and the port.
func stripDomain(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if net.ParseIP(host) != nil {
		return address
	}
	host, _, _ = strings.Cut(host, ".")
	if port != "" {
		return net.JoinHostPort(host, port)
	}
	return host
}

// four writes a number with the four digits that Prometheus' templates show.
func four(v float64) string { return fmt.Sprintf("%.4g", v) }

// humanize writes a number as Prometheus' template function of that name:
// with a metric prefix.
func humanize(v, base float64, prefixes string) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return four(v)
	}
	prefix := ""
	if math.Abs(v) >= 1 {
		for _, p := range prefixes {
			if math.Abs(v) < base {
				break
			}
			prefix, v = string(p), v/base
		}
		return four(v) + prefix
	}
	for _, p := range "munpfazy" {
		if math.Abs(v) >= 1 {
			break
		}
		prefix, v = string(p), v*1000
	}
	return four(v) + prefix
}

// humanize1024 is the same with the prefixes of powers of two.
func humanize1024(v float64) string {
	if math.Abs(v) <= 1 || math.IsNaN(v) || math.IsInf(v, 0) {
		return four(v)
	}
	prefix := ""
	for _, p := range []string{"ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"} {
		if math.Abs(v) < 1024 {
			break
		}
		prefix, v = p, v/1024
	}
	return four(v) + prefix
}
