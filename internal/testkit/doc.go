// Package testkit holds what the tests of several packages share: golden
// files, the comparison of errors, how many tests run at once, and a process of
// its own for one. Only tests import it.
//
// A package whose tests use [Golden] knows the flag -update:
//
//	go test ./domain -update
package testkit
