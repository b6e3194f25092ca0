package telemetry

import (
	"cmp"
	"runtime"
	"runtime/debug"
)

// build is what the running binary is.
type build struct {
	version, revision, goVersion string
}

// linkedVersion and linkedRevision are what a build without a repository at hand
// says, in an image: -ldflags "-X github.com/latido-dev/latido/telemetry.linkedVersion=v1.2.3".
var linkedVersion, linkedRevision string

// readBuild takes the version and revision from what the linker was told, or
// else from what the Go toolchain recorded in the binary; version, when given,
// is the user's word.
func readBuild(version string) build {
	b := build{version: cleanValue(cmp.Or(version, linkedVersion)), revision: "unknown", goVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if ok {
		if b.version == "" && info.Main.Version != "(devel)" {
			b.version = info.Main.Version
		}
		modified := ""
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.revision = s.Value
			case "vcs.modified":
				if s.Value == "true" {
					modified = "-modified"
				}
			}
		}
		if b.revision != "unknown" {
			b.revision += modified
		}
	}
	if linkedRevision != "" {
		b.revision = cleanValue(linkedRevision)
	}
	b.version = cmp.Or(b.version, "unknown")
	return b
}
