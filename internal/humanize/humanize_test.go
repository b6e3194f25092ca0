package humanize

import (
	"math"
	"testing"
)

// TestFigures has figures of every size in both languages. None has an exponent
// or a negative nothing.
func TestFigures(t *testing.T) {
	var en Language
	es := Of("es")
	for _, c := range []struct{ got, want string }{
		{en.Number(0), "0"}, {en.Number(math.Copysign(0, -1)), "0"}, {en.Number(12.345), "12.3"}, {es.Number(12.345), "12,3"},
		{en.Number(999.4), "999"}, {en.Number(999.5), "1000"}, {en.Number(1234567), "1234567"}, {en.Number(-1234567), "-1234567"},
		{en.Number(0.0123), "0.0123"}, {en.Number(0.0000123), "0.000012"}, {en.Number(1e-9), "0"}, {en.Number(-1e-9), "0"},
		{en.Bytes(0), "0 B"}, {en.Bytes(1023), "1023 B"}, {en.Bytes(1024), "1 KiB"}, {es.Bytes(-1.5 * (1 << 20)), "-1,5 MiB"}, {en.Bytes(3 << 40), "3072 GiB"},
		{en.Seconds(-1), "0 ms"}, {en.Seconds(0.00002), "20 µs"}, {en.Seconds(0.25), "250 ms"}, {es.Seconds(1.5), "1,5 s"}, {en.Seconds(119), "119 s"}, {en.Seconds(120), "2 min"},
		{en.Percent(0.0042), "0.4 %"}, {es.Percent(0.0999), "10 %"}, {en.Percent(0.126), "13 %"}, {en.Percent(-0.126), "-13 %"}, {en.Percent(1), "100 %"},
		{es.Wait("lock"), "un candado (lock)"}, {en.Wait("lock"), "lock"}, {es.Wait("semaphore"), "semaphore"},
		{es.Sentence("GET /x answers 7 % of its requests with 5xx"), "GET /x responde con 5xx al 7 % de sus peticiones"}, {es.Sentence("database: no answer after 2s"), "database: sin respuesta tras 2s"},
		{es.Sentence("database: refused"), "database: refused"}, {en.Sentence("telemetry: was shut down"), "telemetry: was shut down"},
		{Capital("época"), "Época"}, {Capital(""), ""}, {Spoken("pedidos_procesados"), "Pedidos procesados"},
		{es.Say("%d of", "%d de", 3), "3 de"}, {en.Lang() + es.Lang(), "enes"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}
