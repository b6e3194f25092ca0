package alerting

import (
	"github.com/latido-dev/latido/domain"
)

func Runbook(d domain.Domain, o Options) []byte { return nil }
