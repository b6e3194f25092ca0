package check

import (
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
)

var verbs = clitest.Verbs{Command, generate.Command}

var latido, say = verbs.Run, verbs.Say
