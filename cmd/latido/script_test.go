package main

import (
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	_ "github.com/latido-dev/latido/internal/testkit" // for -update
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"latido": main})
}

// TestTranscripts holds what somebody at a terminal sees: help, mistakes and
// their exit codes, completion in shells, colours. With -update the transcripts
// are written again.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	update := flag.Lookup("update")
	testscript.Run(t, testscript.Params{Dir: "testdata/script", UpdateScripts: update != nil && update.Value.String() == "true"})
}
