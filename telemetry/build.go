package telemetry

import (
	"runtime"
	"runtime/debug"
)

// build is what the running binary is.
type build struct {
	version, revision, goVersion string
}

// readBuild takes the version and revision from what the Go toolchain recorded
// in the binary; version, when given, is the user's word.
func readBuild(version string) build {
	b := build{version: cleanValue(version), revision: "unknown", goVersion: runtime.Version()}
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
	if b.version == "" {
		b.version = "unknown"
	}
	return b
}
