package evidence

import (
	"github.com/latido-dev/latido/cmd/latido/internal/clitest"
)

var latido = clitest.Verbs{Incidents, Report}.Run
