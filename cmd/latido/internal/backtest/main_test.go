package backtest

import (
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
)

var latido = clitest.Verbs{Command}.Run
