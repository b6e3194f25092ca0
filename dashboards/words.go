package dashboards

import "strings"

// sentence ends a text with a full stop, if it has no end yet.
func sentence(text string) string {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?:") {
		return text
	}
	return text + "."
}

// unitOf is how Grafana calls the unit of a metric: one of its own, a currency,
// or else the unit's name after the number.
func unitOf(unit string) string {
	switch {
	case unit == "" || unit == "1" || strings.HasPrefix(unit, "{"):
		return "short"
	case grafanaUnits[unit] != "":
		return grafanaUnits[unit]
	case currency(unit):
		return "currency:" + unit
	}
	return "suffix:" + unit // Grafana puts a space between
}

var grafanaUnits = map[string]string{
	"s": "s", "ms": "ms", "us": "µs", "ns": "ns", "min": "m", "h": "h", "d": "d",
	"By": "bytes", "KiBy": "kbytes", "MiBy": "mbytes", "GiBy": "gbytes", "KBy": "deckbytes", "kBy": "deckbytes", "MBy": "decmbytes", "GBy": "decgbytes",
	"%": "percent", "Cel": "celsius", "m": "lengthm", "km": "lengthkm", "g": "massg", "kg": "masskg", "l": "litre", "L": "litre", "W": "watt", "V": "volt", "Hz": "hertz",
	"USD": "currencyUSD", "EUR": "currencyEUR", "GBP": "currencyGBP", "JPY": "currencyJPY", "BRL": "currencyBRL", "CHF": "currencyCHF",
}

// currency tells whether a unit is written as a currency is: COP, MXN.
func currency(unit string) bool {
	return len(unit) == 3 && strings.IndexFunc(unit, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}
