package domain

// Nearest returns the candidate most like name, or "" when none is near
// enough to be what was meant.
func Nearest(name string, candidates []string) string { return "" }
