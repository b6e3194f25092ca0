// Package stacks reads the samples of pprof profiles: the frames of a stack, whose
// code each function is, and what a goroutine waits for.
package stacks
