package telemetry

import (
	"maps"
	"net/http"
	"strings"
)

// mount is a route as it is reached through another one, of whose path the
// first segments were stripped (http.StripPrefix).
type mount struct {
	inner    *route
	stripped int
}

// mounted is the route of inner where it is reached through outer: /v1/users/{id}
// for /users/{id} behind /v1/. Each pair is made once, from patterns alone, so
// that there are few whatever the requests' paths are.
func (t *Telemetry) mounted(outer, inner *route, stripped int, method string, handler http.Handler) *route {
	stripped = min(stripped, outer.segments)
	if stripped == 0 {
		return inner
	}
	key := mount{inner, stripped}
	if known := outer.mounts.Load(); known != nil {
		if r := (*known)[key]; r != nil {
			return r
		}
	}
	r := t.route(mountedEndpoint(outer.endpoint, inner.endpoint, stripped))
	for {
		old := outer.mounts.Load()
		next := map[mount]*route{key: r}
		if old != nil {
			maps.Copy(next, *old)
		}
		if outer.mounts.CompareAndSwap(old, &next) {
			break
		}
	}
	if handler != nil {
		t.bindRoute(method, r.endpoint, handler, true)
	}
	return r
}

// mountedEndpoint puts the first n segments of the outer pattern's path before
// the inner one's. The host is the inner pattern's, or else the outer one's.
func mountedEndpoint(outer, inner string, n int) string {
	host, outerPath := cutHost(outer)
	innerHost, innerPath := cutHost(inner)
	if innerPath == "" { // a name that is no path
		return inner
	}
	if innerHost != "" {
		host = innerHost
	}
	return host + "/" + strings.Join(segments(outerPath)[:n], "/") + innerPath
}

// cutHost cuts the host off a pattern. What has no slash is no path at all.
func cutHost(endpoint string) (host, path string) {
	if i := strings.IndexByte(endpoint, '/'); i >= 0 {
		return endpoint[:i], endpoint[i:]
	}
	return endpoint, ""
}

// segments are those of a pattern's path that stand for one of a request's
// each: not the rest of a subtree.
func segments(path string) []string {
	all := strings.Split(strings.Trim(path, "/"), "/")
	if last := all[len(all)-1]; last == "" || last == "{$}" || strings.HasSuffix(last, "...}") {
		all = all[:len(all)-1]
	}
	return all
}

// strippedSegments is how many segments of a path are missing in the one that
// was handed on, 0 if that is not its end.
func strippedSegments(whole, rest string) int {
	prefix, ok := strings.CutSuffix(whole, rest)
	if prefix = strings.Trim(prefix, "/"); !ok || prefix == "" || rest != "" && rest[0] != '/' {
		return 0
	}
	return strings.Count(prefix, "/") + 1
}
