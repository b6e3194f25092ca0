// Package cause finds out why something is as it is: hypotheses compete, and
// each is worth the share of the excess that it explains.
//
//	times := cause.Compared(in)         // when it began, and what it is compared with
//	in.Profiles = ...                   // of those times
//	result := cause.Explain(in)         // the causes, the best one first
//
// It has no clock, asks nobody, and keeps nothing: what it is given decides.
package cause
