package continuous

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/google/pprof/profile"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/latido-dev/latido/internal/profiles"
)

// A profile stays as it is up to these sizes: some 30 MB once it is parsed. Of a
// larger one, which a service of many cores makes whose samples carry span ids,
// the samples are added up while its bytes go by, and the heaviest are kept.
const (
	maxAsIs     = 20_000 // samples
	maxRawBytes = 4 << 20
	maxSamples  = 5000 // of what is larger

	maxApart    = 10_000    // stacks that are told apart while they go by
	maxLabels   = 1000      // combinations of labels of the others
	maxTables   = 16 << 20  // bytes of functions, locations and strings
	maxGoneBy   = 256 << 20 // bytes in all
	maxOneField = 1 << 20
)

// slim returns a gzipped profile that is no larger than maxAsIs, its own bytes
// if it is not, or else its heaviest samples and how many it had: see
// heaviestSamples. It allocates 200 MB at most in all, whatever the size.
func slim(data []byte) (small []byte, had int, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("a large profile: %w", err)
		}
	}()
	raw, err := gunzip(data, maxRawBytes)
	if err != nil && !errors.Is(err, errTooLarge) {
		return nil, 0, err
	}
	if err == nil {
		if had, err = samplesIn(raw); err != nil || had <= maxAsIs {
			return data, 0, err
		}
	}
	p, had, err := addedUp(data)
	if err != nil {
		return nil, 0, err
	}
	if p, err = heaviestSamples(p, maxSamples); err != nil {
		return nil, 0, err
	}
	p.Comments = append(p.Comments, fmt.Sprintf("%d samples were too many: the lightest are in %s", had, profiles.OtherSamples))
	small, err = encoded(p)
	return small, had, err
}

// slimmed is slim for the window's loop: it tells what is lost, and returns nil
// for a profile that cannot be read.
func (p *Profiler) slimmed(data []byte) []byte {
	small, had, err := slim(data)
	if err != nil {
		p.drop(err)
		return nil
	}
	if had > 0 {
		p.log.warn("a profile had too many samples: the lightest are added up", "samples", had, "kept", maxSamples, "as", profiles.OtherSamples)
	}
	return small
}

// The fields of profile.proto that are looked at.
const (
	fieldSample, fieldStrings = 2, 6 // of a profile
	fieldValues, fieldLabel   = 2, 3 // of a sample
	fieldLabelKey             = 1    // of a label
)

// fields calls each for every field of a profile that goes by. The bytes are
// the field's whole encoding, and its value for a message or string; they are
// valid until each returns.
func fields(data []byte, each func(number protowire.Number, whole, value []byte) error) (err error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	limited := &io.LimitedReader{R: z, N: maxGoneBy}
	defer func() {
		if limited.N <= 0 && (err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) { // cut off, within a field too
			err = fmt.Errorf("more than %d bytes: %w", int64(maxGoneBy), errTooLarge)
		}
	}()
	r := bufio.NewReaderSize(limited, 64<<10)
	var buf []byte
	for {
		tag, err := binary.ReadUvarint(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		number, kind := protowire.DecodeTag(tag)
		buf = protowire.AppendVarint(buf[:0], tag)
		switch kind {
		case protowire.VarintType:
			v, err := binary.ReadUvarint(r)
			if err != nil {
				return err
			}
			buf = protowire.AppendVarint(buf, v)
			err = each(number, buf, nil)
			if err != nil {
				return err
			}
		case protowire.BytesType:
			n, err := binary.ReadUvarint(r)
			if err != nil {
				return err
			}
			if n > maxOneField {
				return fmt.Errorf("a field of %d bytes: %w", n, errTooLarge)
			}
			buf = protowire.AppendVarint(buf, n)
			head := len(buf)
			buf = slices.Grow(buf, int(n))[:head+int(n)]
			if _, err := io.ReadFull(r, buf[head:]); err != nil {
				return err
			}
			if err := each(number, buf, buf[head:]); err != nil {
				return err
			}
		default:
			return fmt.Errorf("a field of wire type %d, which no profile has", kind)
		}
	}
}

// samplesIn counts the samples of a profile that is not read yet.
func samplesIn(raw []byte) (n int, err error) {
	for len(raw) > 0 {
		number, _, size := protowire.ConsumeField(raw)
		if size < 0 {
			return 0, protowire.ParseError(size)
		}
		if number == fieldSample {
			n++
		}
		raw = raw[size:]
	}
	return n, nil
}

// stackSum is a stack with its labels, but for those that tell requests apart.
type stackSum struct {
	stack, labels []byte // their encodings in a sample
	values        []int64
}

func (s *stackSum) add(values []int64) {
	if len(s.values) < len(values) {
		s.values = append(s.values, make([]int64, len(values)-len(s.values))...)
	}
	for i, v := range values {
		s.values[i] += v
	}
}

// addedUp reads a large profile twice, sample by sample: once for its strings,
// and once to add up the samples that are the same without the labels of
// requests. The heaviest maxSamples of them keep their stacks.
func addedUp(data []byte) (p *profile.Profile, had int, err error) {
	var texts uint64
	requests := map[uint64]bool{}
	if err := fields(data, func(number protowire.Number, _, value []byte) error {
		if number == fieldStrings {
			if slices.Contains(requestLabels, string(value)) {
				requests[texts] = true
			}
			texts++
		}
		return nil
	}); err != nil {
		return nil, 0, err
	}
	sums, others := map[string]*stackSum{}, map[string]*stackSum{} // the others by their labels
	other := func(one *stackSum) {
		labels := one.labels
		if others[string(labels)] == nil && len(others) >= maxLabels {
			labels = nil
		}
		sum := others[string(labels)]
		if sum == nil {
			sum = &stackSum{labels: bytes.Clone(labels)}
			others[string(labels)] = sum
		}
		sum.add(one.values)
	}
	var tables, key []byte
	var one stackSum
	if err := fields(data, func(number protowire.Number, whole, value []byte) error {
		if number != fieldSample {
			if len(tables)+len(whole) > maxTables {
				return fmt.Errorf("more than %d bytes of functions and strings: %w", maxTables, errTooLarge)
			}
			tables = append(tables, whole...)
			return nil
		}
		had++
		if err := one.read(value, requests); err != nil {
			return err
		}
		key = append(append(key[:0], one.labels...), one.stack...)
		sum := sums[string(key)]
		switch {
		case sum != nil:
		case len(sums) >= maxApart:
			other(&one)
			return nil
		default:
			k := string(key)
			sum = &stackSum{stack: []byte(k[len(one.labels):]), labels: []byte(k[:len(one.labels)])}
			sums[k] = sum
		}
		sum.add(one.values)
		return nil
	}); err != nil {
		return nil, 0, err
	}
	for i, sum := range slices.SortedFunc(maps.Values(sums), func(a, b *stackSum) int {
		return cmp.Or(slices.Compare(b.values, a.values), bytes.Compare(a.stack, b.stack), bytes.Compare(a.labels, b.labels))
	}) {
		if i < maxSamples {
			tables = sum.appendTo(tables)
		} else {
			other(sum)
		}
	}
	clear(sums)
	for _, sum := range others { // of no stack: heaviestSamples gives them their name
		tables = sum.appendTo(tables)
	}
	p, err = profile.ParseUncompressed(tables)
	return p, had, err
}

// read takes a sample apart. It reuses what it has.
func (s *stackSum) read(sample []byte, requests map[uint64]bool) error {
	s.stack, s.labels, s.values = s.stack[:0], s.labels[:0], s.values[:0]
	for len(sample) > 0 {
		number, kind, size := protowire.ConsumeField(sample)
		if size < 0 {
			return protowire.ParseError(size)
		}
		field := sample[:size]
		sample = sample[size:]
		_, _, head := protowire.ConsumeTag(field)
		value := field[head:]
		switch {
		case number == fieldValues && kind == protowire.BytesType:
			packed, _ := protowire.ConsumeBytes(value)
			for len(packed) > 0 {
				v, n := protowire.ConsumeVarint(packed)
				if n < 0 {
					return protowire.ParseError(n)
				}
				s.values = append(s.values, int64(v))
				packed = packed[n:]
			}
		case number == fieldValues:
			v, n := protowire.ConsumeVarint(value)
			if n < 0 {
				return protowire.ParseError(n)
			}
			s.values = append(s.values, int64(v))
		case number == fieldLabel && kind == protowire.BytesType:
			label, _ := protowire.ConsumeBytes(value)
			if key, ok := labelKey(label); !ok || !requests[key] {
				s.labels = append(s.labels, field...)
			}
		default:
			s.stack = append(s.stack, field...)
		}
	}
	return nil
}

// labelKey is the place of a label's name among the strings.
func labelKey(label []byte) (key uint64, ok bool) {
	for len(label) > 0 {
		number, kind, size := protowire.ConsumeField(label)
		if size < 0 {
			return 0, false
		}
		if number == fieldLabelKey && kind == protowire.VarintType {
			_, _, head := protowire.ConsumeTag(label)
			key, n := protowire.ConsumeVarint(label[head:])
			return key, n > 0
		}
		label = label[size:]
	}
	return 0, false
}

// appendTo writes a sample, with its sums.
func (s *stackSum) appendTo(b []byte) []byte {
	var packed []byte
	for _, v := range s.values {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	sample := protowire.AppendTag(slices.Concat(s.stack, s.labels), fieldValues, protowire.BytesType)
	sample = protowire.AppendBytes(sample, packed)
	b = protowire.AppendTag(b, fieldSample, protowire.BytesType)
	return protowire.AppendBytes(b, sample)
}
