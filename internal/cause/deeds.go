package cause

import "github.com/latido-dev/latido/internal/stacks"

// deed is something that requests are seen to do: to call a peer or a database, or
// to wait in a function of own code or, for a connection, of a library.
type deed struct{ kind, what string }

// ofDatabase is the kind of calls of databases.
const ofDatabase = "database"

// deeds are those of a row.
func (r row) deeds() []deed {
	list := []deed{{r.wait.Kind, r.at.Function}}
	if r.wait.Kind == stacks.Pool {
		list[0].what = r.wait.Library
	}
	if r.peer != "" {
		list = append(list, deed{claimCall, r.peer})
	}
	if isDatabase(r.through) {
		list = append(list, deed{ofDatabase, ""})
	}
	return list
}

// moreOf is how many times as many requests as before there are to the endpoints
// whose requests do something: at least of all.
func (m *model) moreOf(d deed) float64 {
	if m.doers == nil {
		m.doers = map[deed]both{}
		for endpoint, rows := range inOrder(m.rows) {
			counted := map[deed]bool{}
			for _, r := range rows {
				for _, one := range r.deeds() {
					if !counted[one] {
						counted[one] = true
						m.doers[one] = m.doers[one].plus(m.endpointRate(endpoint))
					}
				}
			}
		}
	}
	more := m.requests.ratio()
	if some := m.doers[d]; some.before > 0 {
		more = max(more, some.ratio())
	}
	return more
}
