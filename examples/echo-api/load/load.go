package load

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what to send. URL is needed.
type Config struct {
	URL  string  // of the shop, without a path
	Rate float64 // requests a second, on average; 0 means 40
	Mix  Mix     // nil means DefaultMix
	// Users is how many customers there are; 0 means 50.
	Users int
	// InFlight is how many requests are open at once; 0 means 100. One that
	// would be more is skipped.
	InFlight int
	// Seeded says that the orders with ids from 1 to this one exist.
	Seeded int
}

// requestTimeout bounds a request, and so how long Run takes to end.
const requestTimeout = 5 * time.Second

// maxLag is how far behind its schedule the generator may fall and still
// catch up: a laptop that was asleep must not send what it missed at once.
const maxLag = time.Second

// Generator sends requests until it is told to stop.
type Generator struct {
	cfg     Config
	client  *http.Client
	users   []*user
	choose  chooser
	slots   chan struct{} // one for each request in flight
	skipped atomic.Int64
	next    time.Time // when the next request is due

	mu      sync.Mutex
	figures map[string]*figures // by endpoint
}

// New makes a generator. It sends nothing before Run.
func New(cfg Config) *Generator {
	cfg.Rate, cfg.Users, cfg.InFlight = cmp.Or(cfg.Rate, 40), cmp.Or(cfg.Users, 50), cmp.Or(cfg.InFlight, 100)
	if cfg.Mix == nil {
		cfg.Mix = DefaultMix()
	}
	g := &Generator{
		cfg:     cfg,
		choose:  newChooser(cfg.Mix),
		slots:   make(chan struct{}, cfg.InFlight),
		figures: map[string]*figures{},
		client: &http.Client{
			Timeout: requestTimeout,
			Transport: &http.Transport{
				MaxIdleConnsPerHost: cfg.InFlight,
				MaxConnsPerHost:     cfg.InFlight,
				IdleConnTimeout:     10 * time.Second,
			},
		},
	}
	for range cfg.Users {
		g.users = append(g.users, &user{seeded: int64(cfg.Seeded)})
	}
	return g
}

// Run sends requests until ctx is done, then waits for those in flight, five
// seconds at most. It leaves no goroutine and no connection.
func (g *Generator) Run(ctx context.Context) {
	var inFlight sync.WaitGroup
	defer g.client.CloseIdleConnections()
	defer inFlight.Wait()

	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		select {
		case g.slots <- struct{}{}:
			inFlight.Go(func() {
				defer func() { <-g.slots }()
				// What has begun is finished: a customer does not know that
				// the shop is about to close.
				g.send(context.WithoutCancel(ctx))
			})
		default:
			g.skipped.Add(1)
		}
		// Gaps of a Poisson process: what many independent customers make.
		g.next = g.next.Add(time.Duration(rand.ExpFloat64() / g.cfg.Rate * float64(time.Second)))
		if time.Since(g.next) > maxLag { // also before the first one
			g.next = time.Now()
		}
		timer.Reset(time.Until(g.next))
	}
}

// send lets one user do one thing.
func (g *Generator) send(ctx context.Context) {
	u := g.users[rand.IntN(len(g.users))]
	todo := actions[g.choose.pick()](u)
	start := time.Now()
	status, answer, err := g.exchange(ctx, todo)
	g.record(todo.endpoint, time.Since(start), status, err)
	if err == nil && status < 300 && todo.answered != nil {
		todo.answered(u, answer)
	}
}

// maxAnswer is how much of an answer is kept for the user to look at.
const maxAnswer = 64 << 10

func (g *Generator) exchange(ctx context.Context, todo request) (status int, answer []byte, err error) {
	var body io.Reader
	if todo.body != nil {
		data, err := json.Marshal(todo.body)
		if err != nil {
			return 0, nil, err
		}
		body = bytes.NewReader(data)
	}
	r, err := http.NewRequestWithContext(ctx, todo.method, g.cfg.URL+todo.path, body)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := g.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	_, rest := io.Copy(io.Discard, response.Body) // to the end, so that the connection can be used again
	return response.StatusCode, answer, errors.Join(err, rest, response.Body.Close())
}
