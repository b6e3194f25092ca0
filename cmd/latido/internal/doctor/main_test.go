package doctor

import (
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
)

var verbs = clitest.Verbs{Command}

var latido, latidoReads = verbs.Run, verbs.Read
