// Package crds names the types that the Prometheus operator's objects have, so
// that the module beside it says in which version: build.sh writes from them the
// definitions that a cluster has of these objects.
package crds

import (
	_ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
)
