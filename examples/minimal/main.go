// Command minimal is the shortest service with Latido: one call in main.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	d := domain.Domain{Prefix: "saludos", Entity: "saludo", Events: []domain.Event{{Name: "enviados"}}}
	tel, err := telemetry.Init(ctx, telemetry.Config{Domain: d})
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
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: mux, ConnState: tel.ConnState} // and /metrics on 127.0.0.1:9464
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			log.Print(err)
			stop()
		}
	}()
	<-ctx.Done()
	stop()                                    // a second Ctrl-C ends the process at once
	_ = server.Shutdown(context.Background()) // waits for the requests in flight
}
