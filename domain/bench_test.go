package domain

import "testing"

// BenchmarkParse is what the domain file costs at the start of a service.
func BenchmarkParse(b *testing.B) {
	data := read(b, "testdata/full.good.yaml")
	for b.Loop() {
		if _, err := Parse("domain.yaml", data); err != nil {
			b.Fatal(err)
		}
	}
}
