package peer

import (
	"net"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/latido-dev/latido/e2e/faults/fault"
)

// ServeDNS answers each question for an address with 127.0.0.1, until conn is
// closed.
func ServeDNS(conn net.PacketConn) error {
	buffer := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		answer, err := answerDNS(buffer[:n])
		if err != nil {
			continue // what is no question gets no answer
		}
		time.AfterFunc(fault.Duration("latency", 0), func() { _, _ = conn.WriteTo(answer, from) })
	}
}

func answerDNS(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	for _, q := range m.Questions {
		if q.Type == dnsmessage.TypeA {
			m.Answers = append(m.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			})
		}
	}
	return m.Pack()
}
