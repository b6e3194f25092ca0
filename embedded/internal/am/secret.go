package am

import (
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/alertmanager/config"
	amcommon "github.com/prometheus/alertmanager/config/common"
	common "github.com/prometheus/common/config"
)

const (
	hidden = "<secret>"
	// maxError is how much of an error is told, in bytes: a server may answer a
	// megabyte, and libraries put answers into errors.
	maxError = 300
	// minSecret is the shortest text that is taken for a secret wherever it
	// appears. Shorter ones would hide half of every sentence.
	minSecret = 4
)

// anyURL finds URLs. What follows the host may be a secret: those of webhooks
// are.
var anyURL = regexp.MustCompile(`(?i)\b(https?://)([^\s/"'?#]*@)?([^\s/"'?#]+)([/?#][^\s"']*)?`)

// redactor takes secrets out of texts.
type redactor struct{ secrets *strings.Replacer }

// newRedactor collects what is secret: the given values, and what conf has in
// options that are. conf may be nil.
func newRedactor(values map[string]string, conf *config.Config) *redactor {
	var found []string
	add := func(s string) {
		if s = strings.TrimSpace(s); len(s) >= minSecret {
			found = append(found, s, url.PathEscape(s), url.QueryEscape(s))
		}
	}
	secret := func(s string) {
		add(s)
		u, err := url.Parse(s)
		if err != nil || u.Host == "" {
			return
		}
		if path := strings.Trim(u.EscapedPath(), "/"); len(path) >= 8 {
			add(path)
		}
		for part := range strings.SplitSeq(u.EscapedPath(), "/") {
			if len(part) >= 16 { // a token, and no word
				add(part)
			}
		}
		for _, values := range u.Query() {
			for _, v := range values {
				add(v)
			}
		}
		if password, ok := u.User.Password(); ok {
			add(password)
		}
	}
	for _, v := range values {
		secret(v)
	}
	if conf != nil {
		eachSecret(reflect.ValueOf(conf), secret)
	}
	// The longest first: a replacer takes the first that fits.
	slices.SortFunc(found, func(a, b string) int { return len(b) - len(a) })
	found = slices.Compact(found)
	pairs := make([]string, 0, 2*len(found))
	for _, s := range found {
		pairs = append(pairs, s, hidden)
	}
	return &redactor{strings.NewReplacer(pairs...)}
}

// eachSecret calls f with each value of a configuration whose type says that it
// is a secret.
func eachSecret(v reflect.Value, f func(string)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.CanInterface() {
			if u, ok := v.Interface().(*amcommon.SecretURL); ok {
				if u.URL != nil {
					f(u.String())
				}
				return
			}
		}
		eachSecret(v.Elem(), f)
	case reflect.Struct:
		if !v.CanInterface() {
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				eachSecret(v.Field(i), f)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			eachSecret(v.Index(i), f)
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			eachSecret(v.MapIndex(key), f)
		}
	case reflect.String:
		switch s := v.Interface().(type) {
		case common.Secret:
			f(string(s))
		case config.SecretTemplateURL:
			f(string(s))
		case amcommon.SecretTemplateURL:
			f(string(s))
		}
	}
}

// text returns s without secrets, without what follows the host in a URL,
// without line breaks, and cut.
func (r *redactor) text(s string) string {
	s = r.hide(s)
	s = strings.Join(strings.Fields(s), " ")
	if len(s) <= maxError {
		return s
	}
	cut := maxError
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

func (r *redactor) hide(s string) string {
	// A secret cut short by a library that cuts would not be found: so first
	// what is a URL, and the secrets after that.
	s = anyURL.ReplaceAllStringFunc(s, func(found string) string {
		m := anyURL.FindStringSubmatch(found)
		if m[2] == "" && len(m[4]) <= 1 {
			return found
		}
		return m[1] + m[3] + "/" + hidden
	})
	return r.secrets.Replace(strings.ToValidUTF8(s, "�"))
}
