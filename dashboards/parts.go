package dashboards

import "encoding/json"

// applied is how long a dashboard may be as a value in a ConfigMap: kubectl
// apply keeps the whole object in an annotation, and all annotations together
// have 256 KiB at most. What is left is for the object's names and labels.
const applied = 256<<10 - 4<<10

// part is a page, or a piece of one, with its JSON.
type part struct {
	page
	json []byte
}

// parts are the pages that a page becomes, so that each fits into a ConfigMap.
func (b *board) parts(p page) ([]part, error) {
	all, err := b.halved(p)
	if err != nil || len(all) == 1 {
		return all, err
	}
	for i := range all { // its number is in its title and in its address
		all[i].part = i + 1
		if all[i].json, err = encoded(b.dashboard(all[i].page)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// halved cuts a page until every piece fits.
func (b *board) halved(p page) ([]part, error) {
	text, err := encoded(b.dashboard(p))
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(string(text))
	if err != nil {
		return nil, err
	}
	panels := 0
	for _, s := range p.sections {
		panels += len(s.panels)
	}
	if len(value) <= applied || panels < 2 {
		return []part{{p, text}}, nil
	}
	first, second := p, p
	first.sections, second.sections = nil, nil
	left := panels / 2
	for _, s := range p.sections {
		n := min(left, len(s.panels))
		left -= n
		if n > 0 {
			first.sections = append(first.sections, section{s.title, s.panels[:n]})
		}
		if n < len(s.panels) {
			second.sections = append(second.sections, section{s.title, s.panels[n:]})
		}
	}
	one, err := b.halved(first)
	if err != nil {
		return nil, err
	}
	two, err := b.halved(second)
	return append(one, two...), err
}
