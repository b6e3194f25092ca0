package cause_test

import "testing"

// locked makes the requests to GET /citas wait for a lock that reserving holds
// while it does something.
func locked(s *service, while []string, peer string) {
	s.endpoint("GET /citas").parts["lock"] = &part{each: moved{0.0002, 0.25}, frames: stack(mutexLock, own("(*Agenda).List", 55))}
	s.endpoint("POST /citas").parts["lock"] = &part{each: moved{0.0002, 0.25}, frames: stack(mutexLock, own("(*Agenda).Reserve", 80))}
	s.endpoint("POST /citas").parts["held"] = &part{each: moved{0, 0.09}, frames: stack(while, own("(*Agenda).Reserve", 84)), peer: peer, calls: moved{0, 1}}
	s.mutex = append(s.mutex, standing{moved{0.001, 12}, nil, stack([]string{"sync.(*Mutex).Unlock mutex.go:65"}, own("(*Agenda).Reserve", 86))})
}

var lockFaults = []fault{
	{"a lock is held during a call", func(s *service) { locked(s, httpCall, "avisos.example.com") }, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held while a file is written", func(s *service) { locked(s, fileSync, "") }, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held during a pause", func(s *service) { locked(s, sleeping, "") }, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held by what computes", func(s *service) {
		locked(s, nil, "")
		p := s.endpoint("POST /citas").parts["held"]
		p.computes, p.frames = true, own("(*Agenda).Reserve", 84)
	}, "lock", "clinic.(*Agenda).Reserve", ""},
	{"a lock is held by the background", func(s *service) {
		s.endpoint("GET /citas").parts["lock"] = &part{each: moved{0.0002, 0.25}, frames: stack(readLock, own("(*Cache).Get", 21))}
		s.waits = append(s.waits, standing{moved{0.01, 0.8}, nil, stack(fileSync, own("(*Cache).Save", 44), own("(*Cache).every", 30))})
		s.mutex = append(s.mutex, standing{moved{0.001, 8}, nil, stack([]string{"sync.(*RWMutex).Unlock rwmutex.go:209"}, own("(*Cache).Save", 47), own("(*Cache).every", 30))})
	}, "lock", "clinic.(*Cache).Save", ""},
	{"a lock is never given back", func(s *service) {
		e := s.endpoint("GET /citas")
		e.requests.after = 0
		s.waits = append(s.waits, standing{moved{0, 60}, map[string]string{"method": "GET", "endpoint": "/citas"}, stack(mutexLock, own("(*Agenda).List", 55), serving)})
	}, "lock", "clinic.(*Agenda).List", ""},
	{"a lock for reading and writing is held by a writer that computes", func(s *service) {
		s.endpoint("GET /medicos/{id}").parts["lock"] = &part{each: moved{0.0001, 0.15}, frames: stack(readLock, own("(*Index).Find", 31))}
		s.cpu = append(s.cpu, standing{moved{0.02, 0.8}, nil, stack([]string{"sort.Slice slice.go:29"}, own("(*Index).rebuild", 52), own("(*Index).run", 45))})
		s.waits = append(s.waits, standing{moved{0.02, 0.8}, nil, stack([]string{"sort.Slice slice.go:29"}, own("(*Index).rebuild", 52), own("(*Index).run", 45))})
		s.mutex = append(s.mutex, standing{moved{0.01, 3}, nil, stack([]string{"sync.(*RWMutex).Unlock rwmutex.go:209"}, own("(*Index).rebuild", 58), own("(*Index).run", 45))})
	}, "lock", "clinic.(*Index).rebuild", ""},
	// Rivals: what is done under the lock became slow.
	{"a call under a lock became slow", func(s *service) {
		locked(s, nil, "")
		delete(s.endpoint("POST /citas").parts, "held")
		p := s.part("POST /citas", "pay")
		p.each.after, p.frames = 0.095, stack(httpCall, own("(*Agenda).Reserve", 84))
	}, "dependency", "pagos.example.com", ""},
	{"a harmless release when a lock is held longer", func(s *service) {
		s.release()
		locked(s, sleeping, "")
	}, "lock", "clinic.(*Agenda).Reserve", ""},
}

func TestLock(t *testing.T) { try(t, lockFaults) }
