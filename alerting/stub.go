package alerting

import (
	"errors"

	"github.com/latido-dev/latido/domain"
)

func RuleTests(d domain.Domain, o Options, ruleFile string) ([]byte, error) {
	return nil, errors.New("not yet")
}
func Runbook(d domain.Domain, o Options) []byte { return nil }
