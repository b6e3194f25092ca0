// Package testkit holds what the tests of several packages share: golden
// files and the comparison of errors. Only tests import it.
//
// A package whose tests use [Golden] knows the flag -update:
//
//	go test ./domain -update
package testkit
