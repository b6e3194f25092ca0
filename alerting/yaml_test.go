package alerting

import (
	"maps"
	"testing"

	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
)

// Texts and labels are written as YAML's own encoder writes them, but for the order
// of labels whose names have other than small letters: they are what was written.
func TestTextsAsTheEncoderWritesThem(t *testing.T) {
	t.Parallel()
	texts := rapid.OneOf(
		rapid.StringMatching(`[a-z]{1,8}[a-zA-Z0-9 :#'"\\,\[\]{}&*!|>%@\-?\n\tñ]{0,30}`),
		rapid.String(),
		rapid.SampledFrom([]string{"yes", "false", "null", "nullish", "0x1f", "1:30", "sum(a) by (b) > 1\nand c", "a: b", "a #b", "tienda:slo", "line \n", "infinite", "true\n"}),
	)
	names := rapid.OneOf(rapid.StringMatching(`[a-z_]{1,6}`), rapid.SampledFrom([]string{"null", "on", "n", "true", "severity"}))
	anyNames := rapid.OneOf(names, rapid.StringMatching(`[a-zA-Z0-9_]{1,6}`))
	rapid.Check(t, func(t *rapid.T) {
		for _, value := range []any{texts.Draw(t, "text"), rapid.MapOfN(names, texts, 0, 4).Draw(t, "labels")} {
			want, err := encodedNode(value)
			if err != nil {
				continue // it cannot read what it wrote, as of "\t\n"
			}
			wanted, err := file("", fields{{key: "a", value: []fields{{{key: "b", value: want}}}}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := file("", fields{{key: "a", value: []fields{{{key: "b", value: value}}}}})
			if err != nil || string(got) != string(wanted) {
				t.Fatalf("%v\n%s\nwant\n%s", err, got, wanted)
			}
		}
		labels := rapid.MapOfN(anyNames, rapid.StringMatching(`[ -~ñ\n]{0,30}`), 0, 4).Draw(t, "any labels")
		text, err := file("", fields{{key: "a", value: labels}})
		if err != nil {
			t.Fatal(err)
		}
		var back struct{ A map[string]string }
		if err := yaml.Unmarshal(text, &back); err != nil || !maps.Equal(back.A, labels) {
			t.Fatalf("%v\n%s\nis %q, want %q", err, text, back.A, labels)
		}
	})
}
