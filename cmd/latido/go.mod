module github.com/latido-dev/latido/cmd/latido

go 1.26.0

require github.com/latido-dev/latido v0.0.0

replace github.com/latido-dev/latido => ../..
