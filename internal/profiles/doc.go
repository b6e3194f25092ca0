// Package profiles says what profiles mean: which functions cost the most, what
// changed between two of them, where goroutines wait, and which endpoint each
// sample belongs to. It reads profiles that package continuous has taken, and
// takes none itself.
package profiles
