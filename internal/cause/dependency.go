package cause

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/latido-dev/latido/domain"
	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

// added are the answers that the alert holds against the service, that there are
// more of: a second.
func (m *model) added() (sum float64) {
	for name, e := range inOrder(m.endpoints) {
		if !m.about(name) {
			continue
		}
		for status, rate := range inOrder(e.byStatus) {
			if m.bad(status) {
				sum += max(rate.after-rate.before*e.more(), 0)
			}
		}
	}
	return sum
}

// manyFail tells whether the added answers are more than chance. Of an alert on
// them the rule has decided that, be it one of a few.
func (m *model) manyFail() bool {
	n := m.added() * m.f.span(m.t.After)
	if m.kind == failures && m.in.Alert.Name != "" && !m.in.Alert.Drill {
		return n >= 0.9 && m.added() > 0.3*m.failedBefore()
	}
	return n >= 5*m.strict && m.added() > 0.01*m.strict*m.requests.after
}

// askedBefore tells whether one of the endpoints that fail more was asked before: else
// what fails may always have.
func (m *model) askedBefore() bool {
	for name, e := range m.endpoints {
		for status, rate := range e.byStatus {
			if m.about(name) && m.bad(status) && e.requests.before > 0 && rate.after > rate.before*e.more() {
				return true
			}
		}
	}
	return false
}

// failedBefore are the answers that the alert holds against the service, a
// second, as they would be of now's requests.
func (m *model) failedBefore() (sum float64) {
	for name, e := range inOrder(m.endpoints) {
		for status, rate := range inOrder(e.byStatus) {
			if m.about(name) && m.bad(status) {
				sum += rate.before * e.more()
			}
		}
	}
	return sum
}

// dependency: somebody whom the service calls is slow, fails, or is called more
// often than before.
func dependency(m *model) (list []Finding) {
	peers := m.peers()
	byPeer, at := map[string]float64{}, map[string]claim{}
	for _, c := range m.spentTime(claimCall) {
		if isDatabase(c.through) && c.peer == "" {
			continue
		}
		name := cmp.Or(c.peer, m.w.server(c.through, c.library))
		byPeer[name] += m.reach[latency] * c.share
		if c.share > at[name].share {
			at[name] = c
		}
	}
	if m.reach[failures] > 0 && m.manyFail() && m.askedBefore() {
		for name, p := range inOrder(peers) {
			if wrong := p.failed.after - p.failed.before*m.moreRequests(); wrong > 0.2*m.added() && wrong*m.f.span(m.t.After) >= 3 {
				byPeer[name] = max(byPeer[name], m.reach[failures]*min(1, wrong/m.added()))
			}
		}
	}
	if m.kind == failures && m.in.Alert.Metric == "client_requests" {
		only := m.in.Alert.Labels["peer"]
		more, all := map[string]float64{}, 0.0 // calls that fail, of those that the alert is about
		for name, p := range inOrder(peers) {
			if only == "" || only == name {
				more[name] = max(p.failed.growth(), 0)
				all += more[name]
			}
		}
		for name, n := range inOrder(more) {
			if n*m.f.span(m.t.After) >= 3 {
				byPeer[name] = max(byPeer[name], n/all)
			}
		}
	}
	for name, share := range inOrder(byPeer) {
		if share < floor {
			continue
		}
		p, known := peers[name]
		if !known {
			p = called{name: name}
		}
		list = append(list, m.calling(p, at[name], share))
	}
	if f, ok := m.database(); ok {
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b Finding) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Peer, b.Peer)) })
	return list
}

func (m *model) moreRequests() float64 {
	if m.requests.before <= 0 {
		return 1
	}
	return max(m.requests.after/m.requests.before, 1)
}

// callersOf is where own code is seen to wait for a host: of one endpoint, or of
// all, "". Calls that fail too fast to be seen were seen before they failed.
func (m *model) callersOf(peer, of string) (at stacks.Frame, endpoint string) {
	most := 0.0
	for _, s := range m.seen {
		weight := s.newest()
		if s.peer != peer || of != "" && s.endpoint != of || weight <= most {
			continue
		}
		if i := stacks.DeepestOwn(s.frames); i >= 0 {
			most, at, endpoint = weight, s.frames[i], s.endpoint
		}
	}
	return at, endpoint
}

// caller is the innermost place of own code that calls this host and no other: a
// line from which all hosts are called tells nothing of this one.
func (m *model) caller(peer string, at stacks.Frame) stacks.Frame {
	for range 8 { // more than anybody wraps a call, and an end where they call each other
		outer, most, others := at, 0.0, false
		for _, s := range m.seen {
			i := slices.Index(s.frames, at)
			if s.peer == "" || i < 0 {
				continue
			}
			others = others || s.peer != peer
			next := slices.IndexFunc(s.frames[i+1:], func(f stacks.Frame) bool { return stacks.Owner(f.Function) == stacks.Own })
			if weight := s.newest(); s.peer == peer && next >= 0 && weight > most {
				most, outer = weight, s.frames[i+1+next]
			}
		}
		if !others || outer == at {
			return at
		}
		at = outer
	}
	return at
}

// onlyCaller is the endpoint whose requests are the ones that are seen to wait for
// a host. Goroutines of a transport, which serve whoever comes, do not count.
func (m *model) onlyCaller(peer string) (endpoint string, ok bool) {
	sums, all := map[string]float64{}, 0.0
	for _, s := range m.seen {
		if s.peer == peer && stacks.DeepestOwn(s.frames) >= 0 {
			sums[s.endpoint] += s.before + s.after
			all += s.before + s.after
		}
	}
	for name, sum := range inOrder(sums) {
		if name != "" && name != m.unnamed && sum > 0.9*all {
			return name, true
		}
	}
	return "", false
}

// calling says what is wrong with a host's answers.
func (m *model) calling(p called, c claim, share float64) Finding {
	w := m.w
	place, endpoint := c.at, c.endpoint
	if place.Function == "" {
		place, endpoint = m.callersOf(p.name, "")
	}
	if m.kind == failures { // one place of several that call it
		if list := m.addedAnswers(); len(list) > 0 && list[0].endpoints[0] != endpoint {
			if at, of := m.callersOf(p.name, list[0].endpoints[0]); at.Function != "" {
				place, endpoint = at, of
			}
		}
	}
	if place.Function == "" { // it fails too fast to be seen
		_, place = m.answering(m.anyBad)
	} else {
		place = m.caller(p.name, place)
	}
	f := Finding{Kind: "dependency", Score: share, Peer: p.name, Endpoint: endpoint, Function: place.Function, File: place.File, Line: place.Line}
	host := p.name
	if host == domain.Other {
		host = w.T("a host that the domain does not name (_other)", "un host que el dominio no nombra (_other)")
	}
	caller, in, status := "", "", ""
	if place.Function != "" {
		caller, in = w.Say(" from %s", " desde %s", where(place)), w.Say(" in %s", " en %s", where(place))
	}
	wrong := p.wrong()
	requests, to := m.requests, w.T("each request", "cada petición")
	if only, ok := m.onlyCaller(p.name); ok {
		requests, to = m.endpointRate(only), w.Say("each request to %s", "cada petición a %s", only)
	}
	each := both{per(p.calls.before, requests.before), per(p.calls.after, requests.after)}
	often := ""
	if each.ratio() > 1.5 && each.before > 0 && m.beyondChance(p.calls.after, each.before*requests.after) {
		often = w.Say("; it is called %s times for %s%s", "; recibe %s llamadas por %s%s", w.number(each.after), to, w.wasNumber(each.before))
	}
	slower := p.seconds.ratio() > 1.5 && p.seconds.growth() > 0.002
	fail := wrong.after-wrong.before > 0.1 && p.failed.after > 0
	if fail {
		status = m.failsMostWith(p.name)
	}
	tooSoon := status == "timeout" && p.seconds.after < 1.1*p.seconds.before
	switch {
	case tooSoon:
		f.Sentence = w.Say("Calls to %s%s are given up too soon: %s time out%s; a call takes %s%s.", "Las llamadas a %s%s se abandonan demasiado pronto: el %s termina en timeout%s; una llamada tarda %s%s.",
			host, caller, w.Percent(wrong.after), w.was(w.T("", "el ")+w.Percent(wrong.before), p.calls.before > 0), w.Seconds(p.seconds.after), w.wasSeconds(p.seconds.before))
	case fail && status != "timeout" && status != "dial":
		f.Sentence = m.fails(p, host, caller, status, often)
	case c.wait == stacks.DNS || c.wait == dialing && m.resolves(p.name):
		f.Sentence = w.Say("The name %s resolves slowly (DNS): %s requests wait for it%s%s.", "El nombre %s tarda en resolverse (DNS): %s peticiones lo esperan a la vez%s%s.",
			host, w.count(c.after), in, w.wasWaiting(c.before))
	case c.wait == dialing:
		f.Sentence = w.Say("Connections to %s open slowly: %s requests wait%s%s%s.", "Las conexiones con %s tardan en abrirse: %s peticiones esperan a la vez%s%s%s.",
			host, w.count(c.after), in, w.wasWaiting(c.before), often)
	case fail:
		f.Sentence = m.fails(p, host, caller, status, often)
	case slower && (each.ratio() < p.seconds.ratio() || each.before == 0), often == "" && p.seconds.growth() > 0 && c.after < fewestWaiting:
		f.Sentence = w.Say("%s answers slowly: a call%s takes %s%s%s.", "%s responde despacio: una llamada%s tarda %s%s%s.",
			host, caller, w.Seconds(p.seconds.after), w.wasSeconds(p.seconds.before), often)
	case often != "":
		f.Sentence = w.Say("%s is called more often%s: %s times for %s%s; a call takes %s%s.", "%s recibe más llamadas%s: %s por %s%s; cada una tarda %s%s.",
			host, caller, w.number(each.after), to, w.wasNumber(each.before), w.Seconds(p.seconds.after), w.wasSeconds(p.seconds.before))
	case !slower && m.readFrom(p.name):
		f.Sentence = w.Say("%s sends its answers slowly: %s requests wait for the rest of one%s%s.", "%s envía despacio sus respuestas: %s peticiones esperan a la vez el resto de una%s%s.",
			host, w.count(c.after), in, w.wasWaiting(c.before))
	default:
		f.Sentence = w.Say("%s does not answer in time: %s requests wait for it%s%s.", "%s no responde a tiempo: %s peticiones lo esperan a la vez%s%s.",
			host, w.count(c.after), in, w.wasWaiting(c.before))
	}
	if strings.Contains(host, " ") { // it is no host's name
		f.Sentence = humanize.Capital(f.Sentence)
	}
	f.Rests = []string{
		w.Say("calls to %s: %s", "llamadas a %s: %s", host, w.rateWas(p.calls)),
	}
	if p.seconds.after > 0 {
		f.Rests = append(f.Rests, w.Say("a call takes %s%s", "una llamada tarda %s%s", w.Seconds(p.seconds.after), w.wasSeconds(p.seconds.before)))
	}
	if endpoint != "" {
		f.Rests = append(f.Rests, m.lasts(endpoint))
	}
	switch {
	case often != "":
		f.Next = w.Say("Look in %s for retries without a pause, calls in a loop, or a cache that no longer hits.", "Buscar en %s reintentos sin pausa, llamadas en un bucle o una caché que ya no acierta.", cmp.Or(written(place.Function), w.T("the code that calls it", "el código que lo llama")))
	case tooSoon:
		f.Next = w.Say("Look in %s for the deadline of these calls (context, Client.Timeout): it became shorter, or what comes before uses it up.", "Ver en %s el plazo de estas llamadas (contexto, Client.Timeout): se acortó, o lo que viene antes lo consume.", cmp.Or(written(place.Function), w.T("the code that calls it", "el código que lo llama")))
	case c.wait == stacks.DNS || c.wait == dialing:
		f.Next = w.Say("Look at the name server and the network to %s, and at why connections to it are not used again: keep-alives, MaxIdleConnsPerHost, bodies that are not read to their end.", "Ver el servidor de nombres y la red hasta %s, y por qué no se reutilizan sus conexiones: keep-alives, MaxIdleConnsPerHost, cuerpos que no se leen hasta el final.", host)
	case status == "tls":
		f.Next = w.Say("Look at the certificate of %s: has it expired, is its name right, is its issuer trusted here? openssl s_client -connect HOST:443 shows it.", "Ver el certificado de %s: ¿caducó, es ese su nombre, se confía aquí en quien lo emitió? Lo muestra openssl s_client -connect HOST:443.", host)
	case status == "429":
		f.Next = w.Say("Send fewer calls to %s, or ask for a larger quota; until then wait as long as its Retry-After says.", "Enviar menos llamadas a %s o pedir más cuota; mientras tanto, esperar lo que diga su Retry-After.", host)
	case status == "401" || status == "403":
		f.Next = w.Say("Check the credentials that are sent to %s: have they expired, were they changed?", "Revisar las credenciales que se envían a %s: ¿caducaron, las cambiaron?", host)
	case strings.HasPrefix(status, "4"):
		f.Next = w.Say("Check what is sent to %s: credentials, quota, the form of the request.", "Revisar qué se envía a %s: credenciales, cuota, formato de la petición.", host)
	default:
		f.Next = w.Say("Ask the team that runs %s; until it recovers, shorten the timeout or answer without it.", "Preguntar al equipo de %s; mientras se recupera, acortar el timeout o responder sin él.", host)
	}
	return f
}

// fewestWaiting is how many goroutines at a time are worth to be told that they wait.
const fewestWaiting = 0.05

// fails says how calls to a host end.
func (m *model) fails(p called, host, caller, status, often string) string {
	w := m.w
	wrong := p.wrong()
	fails := w.T("fails", "falla")
	switch {
	case status == "timeout" && wrong.after > 0.95:
		fails = w.T("does not answer", "no responde")
	case status == "timeout": // it is the caller that ends these
		fails = w.T("answers too slowly", "responde demasiado despacio")
	case strings.HasPrefix(status, "4"):
		fails = w.T("refuses calls", "rechaza llamadas")
	case status == "3xx":
		fails = w.T("redirects calls", "redirige llamadas")
	}
	return w.Say("%s %s: %s of the calls%s %s%s%s.", "%s %s: el %s de las llamadas%s %s%s%s.",
		host, fails, w.Percent(wrong.after), caller, w.endsWith(status), w.was(w.T("", "el ")+w.Percent(wrong.before), p.calls.before > 0), often)
}

// beyondChance tells whether a rate is above one that was expected by more than
// chance makes of so few.
func (m *model) beyondChance(rate, expected float64) bool {
	span := m.f.span(m.t.After)
	return (rate-expected)*span > 3*math.Sqrt(max(expected*span, 1))
}

// resolves tells whether those who connect to a host wait for its address.
func (m *model) resolves(peer string) bool {
	resolving, connecting := 0.0, 0.0
	for _, s := range m.seen {
		if s.peer != "" && s.peer != peer {
			continue
		}
		switch {
		case s.wait.Kind == stacks.DNS:
			resolving += s.after
		case s.wait.Dials:
			connecting += s.after
		}
	}
	return resolving > connecting
}

// failsMostWith is how most of the calls to a host fail.
func (m *model) failsMostWith(peer string) (worst string) {
	most := 0.0
	for status, rate := range inOrder(m.f.rates(m.family("client_requests"), m.t, func(l map[string]string) (string, bool) {
		return l["status"], l["peer"] == peer && (useless(l["status"]) || l["status"] == "3xx" && m.peers()[peer].redirects)
	})) {
		if g := rate.growth(); g > most {
			worst, most = status, g
		}
	}
	return worst
}

// endsWith says how calls fail.
func (w words) endsWith(status string) string {
	switch status {
	case "timeout":
		return w.T("time out", "termina en timeout")
	case "dial":
		return w.T("cannot connect", "no logra conectar")
	case "tls":
		return w.T("end in the TLS handshake", "termina en el handshake TLS")
	case "error":
		return w.T("end with a broken connection", "termina con la conexión cortada")
	}
	return w.Say("end with status %s", "termina con estado %s", status)
}

// endpointMore is how many more requests the profiles have of an endpoint: of one
// that stands for all those without a name, how many more there are of all.
func (m *model) endpointMore(name string) float64 {
	switch e := m.endpoints[name]; {
	case name != "" && name == m.unnamed && m.requests.before > 0 && m.requests.after > 0:
		return m.requests.ratio()
	case e != nil:
		return e.more()
	}
	return 1
}

func (m *model) endpointRate(name string) both {
	if e := m.endpoints[name]; e != nil {
		return e.requests
	}
	return m.requests
}
