package check

import (
	"fmt"

	"github.com/latido-dev/latido/cmd/latido/internal/cli"
	"github.com/latido-dev/latido/cmd/latido/internal/generate"
	"github.com/latido-dev/latido/cmd/latido/internal/result"
)

// checkGenerated compares the files that are there with what would be written.
func checkGenerated(in *inspection) result.Check {
	var f result.Check
	g := generate.Generation{Domain: in.d, File: in.file, Dir: in.dir, Fast: in.fast}
	if in.given("dir") {
		g.Said = " -dir " + in.dir
	}
	files, err := g.Compare()
	if err != nil {
		f.Fail("%v", err)
		return f
	}
	fresh := 0
	for _, file := range files {
		switch file.State {
		case generate.Fresh:
			fresh++
		case generate.Foreign:
			f.Note("%s %s", file.Path, file.Why)
		case generate.Left:
			f.Problems = append(f.Problems, result.Problem{File: file.Path, Message: file.Why, Fix: "remove it with: " + file.Again})
		default:
			f.Problems = append(f.Problems, result.Problem{File: file.Path, Message: "is not as " + in.file + " says", Fix: "write it again with: " + file.Again})
		}
	}
	if fresh == 0 && len(f.Problems) == 0 {
		c := result.Skip("no generated file is there: write them with latido generate")
		c.Notes = f.Notes
		return c
	}
	f.Detail = fmt.Sprintf("%s as %s says", cli.Count(fresh, "file"), in.file)
	return f
}
