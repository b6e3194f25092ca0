package parcel

import (
	"net/http"
	"sync"
	"time"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// auditKept is how many entries the audit trail has in memory.
const auditKept = 500

// Audit is who looked at what.
type Audit struct {
	mu      sync.Mutex
	entries []entry
	seen    map[string][]byte
}

type entry struct {
	who, what string
	at        time.Time
}

// NewAudit is empty.
func NewAudit() *Audit { return &Audit{seen: map[string][]byte{}} }

// Note adds an entry. The oldest one makes room for it.
func (a *Audit) Note(r *http.Request, what string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.entries) >= auditKept {
		a.entries = a.entries[1:]
	}
	a.entries = append(a.entries, entry{r.RemoteAddr, what, time.Now()})
	if fault.On("grows") {
		a.remember(r, what)
	}
}

// remember keeps the request, for who asks later what it was.
func (a *Audit) remember(r *http.Request, what string) {
	body := make([]byte, 300<<10)
	copy(body, r.URL.String())
	a.seen[what+time.Now().String()] = body
}
