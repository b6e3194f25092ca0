package scaffold

import (
	"github.com/latido-dev/latido/cmd/latido/internal/check"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
)

var verbs = clitest.Verbs{Command, check.Command, generate.Command}

var latido = verbs.Run
