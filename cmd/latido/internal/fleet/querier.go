package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"github.com/google/pprof/profile"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/latido-dev/latido/cmd/latido/internal/remote"
	"github.com/latido-dev/latido/internal/cause"
	"github.com/latido-dev/latido/internal/stacks"
)

// turns are those who ask Pyroscope, of all alerts: more at a time would make each
// answer later, and the first alert's as late as the last one's.
var turns = make(chan struct{}, 8)

// querier calls a method of Pyroscope's query service.
func (s *instances) querier(ctx context.Context, method, contentType string, question []byte) ([]byte, error) {
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	header := map[string]string{"Content-Type": contentType}
	if tenant := os.Getenv("PYROSCOPE_TENANT_ID"); tenant != "" {
		header["X-Scope-OrgID"] = tenant
	}
	answer, err := s.measures.exchange(ctx, sourcePyroscope, s.pyroscope, remote.Request{Method: http.MethodPost, Path: "querier.v1.QuerierService/" + method, Body: question, Header: header},
		func(r *http.Request) {
			if user := os.Getenv("PYROSCOPE_BASIC_AUTH_USER"); user != "" {
				r.SetBasicAuth(user, os.Getenv("PYROSCOPE_BASIC_AUTH_PASSWORD"))
			}
		})
	if err == nil && answer.Code != http.StatusOK {
		err = fmt.Errorf("it answers %s: %s", answer.Status, answer.Start())
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", remote.Address(s.pyroscope), err)
	}
	return answer.Body, nil
}

func (s *instances) json(ctx context.Context, method string, question map[string]any, into any) error {
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	answer, err := s.querier(ctx, method, "application/json", text)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s answers %s with no JSON: %w", remote.Address(s.pyroscope), method, err)
	}
	return nil
}

// merged asks for the sum of the profiles of a time. It is asked in protobuf:
// the answer is a pprof profile then.
func (s *instances) merged(ctx context.Context, id, selector string, r cause.Range) (*profile.Profile, error) {
	var question []byte
	question = protowire.AppendString(protowire.AppendTag(question, 1, protowire.BytesType), id)
	question = protowire.AppendString(protowire.AppendTag(question, 2, protowire.BytesType), selector)
	question = protowire.AppendVarint(protowire.AppendTag(question, 3, protowire.VarintType), uint64(r.From.UnixMilli()))
	question = protowire.AppendVarint(protowire.AppendTag(question, 4, protowire.VarintType), uint64(r.To.UnixMilli()))
	answer, err := s.querier(ctx, "SelectMergeProfile", "application/proto", question)
	if err != nil || len(answer) == 0 {
		return nil, err
	}
	p, err := profile.ParseUncompressed(answer)
	if err != nil {
		return nil, fmt.Errorf("%s answers SelectMergeProfile with no profile: %w", remote.Address(s.pyroscope), err)
	}
	stacks.Learn(p)
	return p, nil
}
