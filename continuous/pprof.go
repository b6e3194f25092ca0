package continuous

import "net/http"

// Handler serves /debug/pprof/ and /debug/report.
func (p *Profiler) Handler() http.Handler { return http.NotFoundHandler() }
