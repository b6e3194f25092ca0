package evidence

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/latido-dev/latido/internal/humanize"
)

// words writes in the language of the domain. The sentences are here, and those
// of findings in the package that finds them.
type words struct{ humanize.Language }

func wordsOf(language string) words { return words{humanize.Of(language)} }

func (w words) duration(d time.Duration) string { return w.Seconds(d.Seconds()) }

// quantity writes a figure of a section's type.
func (w words) quantity(sampleType string, v float64) string {
	switch sampleType {
	case "cpu":
		if v < 0.1 { // of so little, two digits say all
			v, _ = strconv.ParseFloat(strconv.FormatFloat(v, 'g', 2, 64), 64)
		}
		return w.Say("%s cores", "%s núcleos", w.Number(v))
	case "alloc_space":
		return w.Bytes(v) + "/s"
	case "inuse_space":
		return w.Bytes(v)
	}
	return w.Seconds(v) + "/s"
}

// amount writes a figure of a section's hot list, which is not per second.
func (w words) amount(sampleType string, v float64) string {
	switch sampleType {
	case "alloc_space", "inuse_space":
		return w.Bytes(v)
	}
	return w.Seconds(v)
}

func (w words) tooLong(limit time.Duration) string {
	return w.Say("looking for it took longer than %s", "buscarla tardó más de %s", w.duration(limit))
}

func (w words) late(at time.Time) string {
	return w.Say("found at %s UTC, after the first message: the alert carries it since its next resend, and so does every message after that",
		"hallada a las %s UTC, después del primer aviso: la alerta la lleva desde su siguiente reenvío, y también todo aviso posterior", at.UTC().Format(time.TimeOnly))
}

func (w words) panicked() string {
	return w.T("looking for it panicked, and the log has the stack", "la búsqueda hizo panic; el registro tiene el stack")
}

func (w words) stopping() string {
	return w.T("the service is stopping", "el servicio se está deteniendo")
}

func (w words) busy() string {
	return w.T("evidence of too many alerts is being gathered at once", "se reúne evidencia de demasiadas alertas a la vez")
}

func (w words) storeSilent() string {
	return w.T("the store did not answer in time: what else moved is not known", "el almacén no respondió a tiempo: no se sabe qué más cambió")
}

func (w words) profilingOff() string {
	return w.T("profiling is off", "los perfiles están apagados")
}

func (w words) noProfile() string {
	return w.T("no CPU profile of that time: the first window has not ended, or another CPU profile ran",
		"no hay perfil de CPU de ese tiempo: no ha terminado la primera ventana, o había otro perfil de CPU")
}

func (w words) halfProfiled(profiled, whole time.Duration) string {
	return w.Say("only %s of %s have a CPU profile: the process is young, or another CPU profile ran in it; shares may mislead",
		"solo %s de %s tienen perfil de CPU: el proceso es joven, o había otro perfil de CPU en él; las proporciones pueden engañar", w.duration(profiled), w.duration(whole))
}

func (w words) noBaseline() string {
	return w.T("no earlier profile to compare with: the process is young, and no release before it was kept",
		"no hay un perfil anterior con qué comparar: el proceso es joven, y no se guardó ninguna versión anterior")
}

func (w words) profilesLate() string {
	return w.T("some profiles could not be read in time", "algunos perfiles no se pudieron leer a tiempo")
}

// subject is what a section is about.
func (w words) subject(sampleType string) string {
	switch sampleType {
	case "cpu":
		return w.T("CPU use", "El uso de CPU")
	case "alloc_space":
		return w.T("Allocation", "La asignación de memoria")
	case "inuse_space":
		return w.T("Memory in use", "La memoria en uso")
	}
	return w.T("Contention", "La contención")
}

func (w words) nothingSeen() string {
	return w.T("nothing stands out in the profiles or figures of that time", "nada se destaca en los perfiles ni en las cifras de ese tiempo")
}

// changed is one line of what moved at the same time.
func (w words) changed(in *Incident) string {
	var parts []string
	if d := in.Deployed; d != nil {
		when := ""
		if !d.At.IsZero() {
			when = w.Say(" at %s", " a las %s", d.At.Format(time.TimeOnly))
		}
		parts = append(parts, w.Say("version %s took the place of %s%s", "la versión %s reemplazó a %s%s", d.After, d.Before, when))
	}
	for _, m := range in.Moved {
		if m.much() && len(parts) < 5 {
			name := m.Name
			if name == "requests" {
				name = w.T("requests", "peticiones")
			}
			parts = append(parts, fmt.Sprintf("%s %s → %s", name, w.whole(m.Before), w.whole(m.After)))
		}
	}
	if len(parts) == 0 && len(in.Moved) > 0 {
		return w.T("no business event or request count moved", "ningún evento de negocio ni número de peticiones cambió")
	}
	return strings.Join(parts, "; ")
}

// whole writes a count, which increase() extrapolates to a fraction.
func (w words) whole(v float64) string { return strconv.FormatFloat(v, 'f', 0, 64) }
