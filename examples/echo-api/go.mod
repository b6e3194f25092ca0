module github.com/latido-dev/latido/examples/echo-api

go 1.26.0

require github.com/latido-dev/latido v0.0.0

replace github.com/latido-dev/latido => ../..
