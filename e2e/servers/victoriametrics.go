package servers

import (
	"os/exec"
	"testing"
)

// StartVictoriaMetrics starts a VictoriaMetrics, a store for longer than one
// Prometheus keeps, and waits until it is ready. It is empty at first, takes
// Prometheus' remote write at URL() + "/api/v1/write", and answers PromQL by
// the same API, so that its questions are those of a [Prometheus]. It knows no
// targets and no rules. flags are added to its command line.
func StartVictoriaMetrics(t testing.TB, flags ...string) *Prometheus {
	t.Helper()
	binary := Path(t, "victoriametrics")
	dir := t.TempDir()
	running := Run(t, Process{
		Name:  "victoriametrics",
		Ports: 1,
		Ready: "/health",
		Command: func(addrs []string) *exec.Cmd {
			return exec.Command(binary, append([]string{
				"-httpListenAddr=" + addrs[0],
				"-storageDataPath=" + dir,
				// A query for now is answered from half a minute ago by default,
				// so that late samples are in it.
				"-search.latencyOffset=0s",
			}, flags...)...)
		},
	})
	return PrometheusIn(t, running)
}
