package parcel

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/latido-dev/latido/telemetry"
)

// clientTimeout is how long a peer may take for all of an answer.
const clientTimeout = 4 * time.Second

// newClient asks peers, whose names a DNS server knows.
func newClient(tel *telemetry.Telemetry, dns string) *http.Client {
	dialer := &net.Dialer{Timeout: 3 * time.Second, Resolver: &net.Resolver{
		PreferGo: true,
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, dns)
		},
	}}
	return &http.Client{Timeout: clientTimeout, Transport: tel.Transport(&http.Transport{
		DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64, IdleConnTimeout: 30 * time.Second,
	})}
}

// fetch asks for JSON.
func fetch(ctx context.Context, client *http.Client, method, url string, v any) error {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		_, _ = io.Copy(io.Discard, response.Body) // so that the connection is used again
		return fmt.Errorf("%s %s: %s", method, url, response.Status)
	}
	return json.NewDecoder(response.Body).Decode(v)
}
