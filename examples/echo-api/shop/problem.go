package shop

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Problem is an error that the API answers as JSON: its error handler knows
// the status from StatusCode and the body from MarshalJSON.
type Problem struct {
	Status  int
	Message string
	Fields  []FieldProblem // what is wrong with the input, field by field
	Kind    string         // error type in metrics: one of domain.yaml's errors, or of domain.BuiltinErrors()
}

// FieldProblem says what is wrong with one field of the input.
type FieldProblem struct {
	Field   string `json:"campo"`
	Message string `json:"problema"`
}

// StatusCode is the status of the answer.
func (p *Problem) StatusCode() int { return p.Status }

// ErrorType names the error in metrics.
func (p *Problem) ErrorType() string { return p.Kind }

func (p *Problem) Error() string {
	parts := []string{p.Message}
	for _, f := range p.Fields {
		parts = append(parts, f.Field+": "+f.Message)
	}
	return strings.Join(parts, "; ")
}

// MarshalJSON is the body of the answer.
func (p *Problem) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Message string         `json:"error"`
		Fields  []FieldProblem `json:"campos,omitempty"`
	}{p.Message, p.Fields})
}

func badRequest(format string, args ...any) *Problem {
	return &Problem{Status: http.StatusBadRequest, Kind: "validation", Message: fmt.Sprintf(format, args...)}
}

func invalid(message string, fields ...FieldProblem) *Problem {
	return &Problem{Status: http.StatusUnprocessableEntity, Kind: "validation", Message: message, Fields: fields}
}

func notFound(format string, args ...any) *Problem {
	return &Problem{Status: http.StatusNotFound, Kind: "not_found", Message: fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) *Problem {
	return &Problem{Status: http.StatusConflict, Kind: "conflict", Message: fmt.Sprintf(format, args...)}
}
