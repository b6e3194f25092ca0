package domain

import (
	"strings"
	"testing"

	"github.com/latido-dev/latido/internal/testkit"
)

func TestPrefix(t *testing.T) {
	for prefix, want := range map[string]string{ // want: part of the error, "" for none
		"tienda":                        "",
		"abc":                           "",
		"a1_b2":                         "",
		"clinica_sur_3":                 "",
		"goteo":                         "", // only the whole word go is reserved
		strings.Repeat("a", 32):         "",
		"":                              "missing: write a short word",
		"tu_prefijo":                    `"tu_prefijo" is a placeholder`,
		"TU-PREFIJO":                    "is a placeholder",
		"my_prefix":                     "is a placeholder",
		"yourPrefix":                    "is a placeholder",
		"go":                            `write for example "go_app"`,
		"process":                       "is taken by metrics that are not the service's own",
		"otel":                          "is taken by",
		"latido":                        "is taken by", // latido evidence
		"up":                            "is taken by",
		"scrape":                        "is taken by",
		"target":                        "is taken by",
		"ab":                            "too short: write 3 to 32 letters",
		"e":                             "too short",
		strings.Repeat("abc_", 9) + "z": `too long, 37 of at most 32 letters (did you mean "abc_abc_abc_abc_abc_abc_abc_abc"?)`,
		"Tienda":                        `has upper case (did you mean "tienda"?)`,
		"TIENDA_SUR":                    `did you mean "tienda_sur"`,
		"tiendaSur":                     `did you mean "tienda_sur"`,
		"mi-tienda":                     `has a hyphen, which no metric name may have (did you mean "mi_tienda"?)`,
		"educación":                     `did you mean "educacion"`,
		"educacio\u0301n":               `did you mean "educacion"`, // the accent as a letter of its own
		"niños":                         `did you mean "ninos"`,
		"straße":                        `did you mean "strasse"`,
		"œuvre":                         `did you mean "oeuvre"`,
		"žluťoučký kůň":                 `did you mean "zlutoucky_kun"`,
		"mi tienda":                     `did you mean "mi_tienda"`,
		"3tienda":                       `starts with a letter (did you mean "tienda"?)`,
		"_tienda":                       `did you mean "tienda"`,
		"tienda_":                       `did you mean "tienda"`,
		"tienda.sur":                    `did you mean "tienda_sur"`,
		"tienda__sur":                   `two underscores in a row, of which Prometheus keeps one (did you mean "tienda_sur"?)`,
		"商店":                            `may only have a-z, 0-9 and _`,
		"a\x00b":                        "may only have",
		"total_shop":                    "would move or vanish there: shop_requests_total",
		"total":                         "would move or vanish",
		"seconds_matter":                "would move or vanish",
		"percent":                       "would move or vanish",
		"bytes_store":                   "would move or vanish",
	} {
		t.Run(prefix, func(t *testing.T) {
			err := CheckPrefix(prefix)
			testkit.Error(t, err, want)
			if err != nil { // what is suggested must be right
				if _, rest, ok := strings.Cut(err.Error(), `did you mean "`); ok {
					testkit.Error(t, CheckPrefix(strings.TrimSuffix(rest, `"?)`)), "")
				}
			}
		})
	}
}

func FuzzPrefix(f *testing.F) {
	for _, s := range []string{"tienda", "educación", "TU_PREFIJO", "a__b", "", "\xff", "total_a"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, prefix string) {
		if CheckPrefix(prefix) != nil {
			return
		}
		for _, m := range (Domain{Prefix: prefix}).Metrics() {
			if !strings.HasPrefix(m.Family, prefix+"_") {
				t.Fatalf("the prefix %q gives the family %q", prefix, m.Family)
			}
		}
	})
}
