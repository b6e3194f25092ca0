// Package testkit holds what the tests of several packages share: golden
// files, the comparison of errors, and how many tests run at once. Only tests import
// it.
//
// A package whose tests use [Golden] knows the flag -update:
//
//	go test ./domain -update
package testkit
