package telemetry

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
)

// login lets whoever knows the password see every page of the admin listener,
// from wherever they ask. /metrics and health need none: a Prometheus and a
// kubelet come without. The zero value lets nobody in.
type login struct {
	user, password [sha256.Size]byte // digests: comparing them tells nothing of a length
	set            bool
}

// readLogin reads the variables that the command's verbs read too.
func readLogin(r variables) login {
	user, password := r.text("LATIDO_USER"), r.text("LATIDO_PASSWORD")
	return login{sha256.Sum256([]byte(cmp.Or(user, "latido"))), sha256.Sum256([]byte(password)), password != ""}
}

// by tells whether a request brings the credentials.
func (l login) by(r *http.Request) bool {
	user, password, ok := r.BasicAuth()
	u, p := sha256.Sum256([]byte(user)), sha256.Sum256([]byte(password))
	return l.set && ok && subtle.ConstantTimeCompare(u[:], l.user[:])&subtle.ConstantTimeCompare(p[:], l.password[:]) == 1
}

// of raises what a request may see by what it brings.
func (l login) of(r *http.Request, otherwise access) access {
	switch {
	case l.by(r):
		return accessInside
	case l.set && otherwise == accessPublic:
		return accessLogin
	}
	return otherwise
}
