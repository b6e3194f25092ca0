package continuous

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/pprof/profile"

	"github.com/latido-dev/latido/internal/profiles"
)

// maxLabelValue is half of what Pyroscope takes by default.
const maxLabelValue = 1024

// appName is the name of an upload: service{tag=value,...}. A tag named like a
// label of samples is renamed: Pyroscope lets the tag hide the label (seen with
// 1.9), and with region=eu nobody finds the regions of the code. The session is
// Pyroscope's own label, left out when empty.
func appName(service string, tags map[string]string, session string) string {
	name := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' || nameRune(r) {
			return r
		}
		return '_'
	}, service)
	name = cmp.Or(name, "unknown_service")
	cleaned := map[string]string{}
	for _, tag := range slices.Sorted(maps.Keys(tags)) {
		key := labelName(tag)
		if slices.Contains([]string{profiles.LabelEndpoint, profiles.LabelMethod, profiles.LabelRegion, profiles.LabelPeer, profiles.LabelSpanID, profiles.LabelStartedBy}, key) {
			key = "tag_" + key
		}
		value := strings.Map(func(r rune) rune {
			switch {
			case r == ',' || r == '}': // they end a value, and cannot be escaped
				return '_'
			case r < ' ':
				return ' '
			}
			return r
		}, labelValue(tags[tag]))
		if _, taken := cleaned[key]; taken || value == "" || reserved(key) {
			continue
		}
		cleaned[key] = value
	}
	if session != "" {
		cleaned["__session_id__"] = session
	}
	pairs := make([]string, 0, len(cleaned))
	for _, key := range slices.Sorted(maps.Keys(cleaned)) {
		pairs = append(pairs, key+"="+cleaned[key])
	}
	return name + "{" + strings.Join(pairs, ",") + "}"
}

// labelInstance is the tag that tells the processes of a service apart.
const labelInstance = "service_instance_id"

// newSession is an id of the process in the form that Pyroscope reads, 8 bytes
// in hexadecimal. A Pyroscope with max-sessions-per-series spreads the profiles
// of a service by it. pyroscope-go makes it from the host's name, which two
// processes of a host share: here it is the instance's, or else random.
func newSession(instance string) string {
	if instance == "" {
		instance = rand.Text()
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(instance))
	return hex.EncodeToString(h.Sum(nil))
}

// reserved names are Pyroscope's own. A second service_name makes it refuse the
// upload.
func reserved(name string) bool {
	return name == "service_name" || name == "pyroscope_spy" || strings.HasPrefix(name, "__")
}

func nameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_'
}

// labelName is a name as Pyroscope takes it: [a-zA-Z_][a-zA-Z0-9_]*.
func labelName(name string) string {
	name = strings.Map(func(r rune) rune {
		if nameRune(r) {
			return r
		}
		return '_'
	}, name)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

func labelValue(value string) string {
	value = strings.ToValidUTF8(value, "?")
	if len(value) > maxLabelValue {
		value = strings.ToValidUTF8(value[:maxLabelValue], "")
	}
	return value
}

// clean renames labels that Pyroscope would refuse the whole profile for: it is
// the service's code that chooses them. Nothing is encoded again without need.
func (j *job) clean() error {
	j.cleaned = true
	if j.kind != kindCPU && j.kind != kindGoroutine && j.kind != kindLeaks {
		return nil // they carry no labels
	}
	p, err := profile.ParseData(j.data)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	changed := false
	for _, s := range p.Sample {
		changed = cleanLabels(s) || changed
	}
	if !changed {
		return nil
	}
	data, err := encoded(p)
	if err == nil {
		j.data = data
	}
	return err
}

// cleanLabels reports whether it changed anything.
func cleanLabels(s *profile.Sample) bool {
	good := func(name string, values []string) bool {
		return labelName(name) == name && !reserved(name) &&
			len(values) == 1 && len(values[0]) <= maxLabelValue && utf8.ValidString(values[0])
	}
	all := true
	for name, values := range s.Label {
		all = all && good(name, values)
	}
	if all {
		return false
	}
	labels := make(map[string][]string, len(s.Label))
	for name, values := range s.Label { // good ones first: they keep their names
		if good(name, values) {
			labels[name] = values
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Label)) {
		key := labelName(name)
		if reserved(key) {
			key = "label_" + strings.TrimLeft(key, "_")
		}
		if _, taken := labels[key]; taken || len(s.Label[name]) == 0 {
			continue
		}
		labels[key] = []string{labelValue(s.Label[name][0])}
	}
	s.Label = labels
	return true
}
