package alerting

import (
	"errors"

	"github.com/latido-dev/latido/domain"
)

func RuleTests(d domain.Domain, o Options, ruleFile string) ([]byte, error) {
	return nil, errors.New("not yet")
}
func AlertmanagerFile(d domain.Domain, o Options) ([]byte, error) {
	return nil, errors.New("not yet")
}
func Templates(d domain.Domain, o Options) []byte { return nil }
func Runbook(d domain.Domain, o Options) []byte   { return nil }
