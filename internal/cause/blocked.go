package cause

import (
	"slices"

	"github.com/latido-dev/latido/internal/humanize"
	"github.com/latido-dev/latido/internal/stacks"
)

// blocked: requests wait for the log, a file, or a pause of their own.
func blocked(m *model) (list []Finding) {
	w := m.w
	for _, kind := range []string{stacks.Log, stacks.File, stacks.Syscall, stacks.Client, stacks.Sleep, stacks.Forever} {
		claims := slices.DeleteFunc(m.spentTime(kind), func(c claim) bool { return isDatabase(c.through) })
		if len(claims) == 0 {
			continue
		}
		first, share, waiting := claims[0], 0.0, both{}
		for _, c := range claims {
			if kind == stacks.Log || c.at.Function == first.at.Function {
				share += c.share
				waiting = waiting.plus(c.both)
			}
		}
		f := Finding{Kind: "blocked", Score: m.reach[latency] * share, Endpoint: first.endpoint, Function: first.at.Function, File: first.at.File, Line: first.at.Line}
		seen := w.Say("%s requests at a time%s", "%s peticiones a la vez%s", w.count(waiting.after), w.wasWaiting(waiting.before))
		switch kind {
		case stacks.Log:
			f.Sentence = w.Say("Writing to the log blocks requests: %s waits for %s; %s.", "Escribir en el log detiene las peticiones: %s espera a %s; %s.",
				where(first.at), library("", first.library), seen)
			f.Next = w.T("Look at who reads the log: a full pipe, a slow disk, a log collector that hangs; let the log drop lines rather than wait.", "Ver quién lee el log: una tubería (pipe) llena, un disco lento, un agente detenido; es mejor que el log pierda líneas a que las peticiones esperen.")
		case stacks.File, stacks.Syscall:
			f.Sentence = w.Say("Reading or writing a file blocks requests in %s: %s.", "Leer o escribir un archivo detiene las peticiones en %s: %s.", where(first.at), seen)
			f.Next = w.T("Look at the disk (iostat), and move the file access off the request.", "Mirar el disco (iostat) y sacar el acceso al archivo de la petición.")
		case stacks.Client:
			f.Kind = "clients"
			f.Sentence = humanize.Capital(w.Say("%s wait for their clients in %s: slow uploads or downloads; %s.", "%s esperan a sus clientes en %s: subidas o descargas lentas; %s.", w.requestsOf(first), where(first.at), seen))
			f.Next = w.T("Set ReadTimeout and WriteTimeout, and look at who sends or reads so slowly.", "Fijar ReadTimeout y WriteTimeout, y ver quién envía o lee tan despacio.")
		case stacks.Forever:
			f.Sentence = humanize.Capital(w.Say("%s wait for what cannot come (select {}) in %s: %s.", "%s esperan lo que no puede llegar (select {}) en %s: %s.", w.requestsOf(first), where(first.at), seen))
			f.Next = w.Say("Give %s something to end by: a context, a timeout, a channel that is closed.", "Darle a %s con qué terminar: un contexto, un timeout, un canal que se cierre.", written(first.at.Function))
		default:
			f.Sentence = humanize.Capital(w.Say("%s sleep in %s: %s.", "%s duermen en %s: %s.", w.requestsOf(first), where(first.at), seen))
			f.Next = w.Say("Look at why %s pauses: a retry, a poll for something that could notify.", "Ver por qué se detiene %s: un reintento, o una consulta repetida de algo que podría avisar.", written(first.at.Function))
		}
		f.Rests = []string{m.lasts(first.endpoint)}
		list = append(list, f)
	}
	return list
}
