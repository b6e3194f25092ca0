package main

import (
	"bytes"
	"testing"
)

func TestNote(t *testing.T) {
	var out bytes.Buffer
	c := &console{out: &out}
	labels := map[string]string{"alertname": "RespuestaLenta", "endpoint": "/inventario/proveedor", "severity": "page", "domain": "tienda", "job": "tienda-api"}
	about := map[string]string{"summary": "La tienda responde lento", "cause": "esperan en awaitAnswer", "next": "preguntar al proveedor", "also_1": "el doble de tráfico", "incident": "http://127.0.0.1:9464/incidents/1"}
	for _, resolved := range []bool{false, true} {
		if err := note(c, labels, about, resolved); err != nil {
			t.Error(err)
		}
	}
	want := `
ALERT RespuestaLenta endpoint=/inventario/proveedor: La tienda responde lento
  because   esperan en awaitAnswer
  next      preguntar al proveedor
  also      el doble de tráfico
  more      http://127.0.0.1:9464/incidents/1

ALERT over: RespuestaLenta endpoint=/inventario/proveedor: La tienda responde lento
`
	if got := out.String(); got != want {
		t.Errorf("noted\n%s\nwant\n%s", got, want)
	}
}
