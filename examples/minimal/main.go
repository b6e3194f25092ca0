// Command minimal is the shortest service with Latido: one call in main.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

func main() {
	d := domain.Domain{Prefix: "saludos", Entity: "saludo", Events: []domain.Event{{Name: "enviados"}}}
	tel, err := telemetry.Init(context.Background(), telemetry.Config{Domain: d})
	if err != nil {
		log.Print(err) // the service goes on without telemetry
	}
	defer tel.Shutdown(context.Background())
	sent := tel.Counter("enviados").With() // saludos_enviados_total

	mux := tel.NewServeMux() // in place of http.NewServeMux
	mux.HandleFunc("GET /hola/{nombre}", func(w http.ResponseWriter, r *http.Request) {
		sent.Add(1)
		fmt.Fprintf(w, "Hola, %s\n", r.PathValue("nombre"))
	})
	log.Print(http.ListenAndServe("127.0.0.1:8080", mux)) // and /metrics on 127.0.0.1:9464
}
