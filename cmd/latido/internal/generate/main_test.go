package generate_test

import (
	"github.com/latido-dev/latido/cmd/latido/internal/check"
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
)

var verbs = clitest.Verbs{generate.Command, check.Command}

var latido, say = verbs.Run, verbs.Say
