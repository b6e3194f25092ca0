package breaks

// Set is all the switches of a shop. Its zero value is a shop that works.
type Set struct {
	Slow, CPU, Errors, Leak, Silence Switch
}

// Close heals everything for good, and waits until what the breaks had started
// has ended. It is safe for concurrent use, and to be called again.
func (s *Set) Close() {
	for _, b := range s.all() {
		b.close()
	}
}

// named is a switch as people see it.
type named struct {
	*Switch
	Name, Does, Alert string
}

// all are the switches in the order of the documentation.
func (s *Set) all() []named {
	return []named{
		{&s.Slow, "slow", "the supplier takes three seconds, and the shop waits for it", "RespuestaLenta"},
		{&s.CPU, "cpu", "every sales report starts a forecast that takes all the cores", "CPUAlta"},
		{&s.Errors, "errors", "the payment gateway answers nothing any more", "PagosFallando"},
		{&s.Leak, "leak", "every export of the catalogue leaves goroutines behind", "GoroutineLeak"},
		{&s.Silence, "silence", "orders are accepted and never processed", "SinPedidos"},
	}
}

// find finds a switch by its name.
func (s *Set) find(name string) (named, bool) {
	for _, b := range s.all() {
		if b.Name == name {
			return b, true
		}
	}
	return named{}, false
}
