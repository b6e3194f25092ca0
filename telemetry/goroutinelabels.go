package telemetry

import "unsafe"

// The labels of a goroutine can be set with runtime/pprof, and not read: pprof.Do
// restores those of a context, which need not be what the goroutine had. The two
// functions behind pprof are kept for such use, with these signatures
// (https://go.dev/issue/67401).

//go:linkname labelPointer runtime/pprof.runtime_getProfLabel
func labelPointer() unsafe.Pointer

//go:linkname setLabelPointer runtime/pprof.runtime_setProfLabel
func setLabelPointer(labels unsafe.Pointer)
