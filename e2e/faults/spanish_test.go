package faults

import (
	"fmt"
	"strings"
)

// verdicts are the verdicts in Spanish.
var verdicts = map[verdict]string{right: "acertada", rightPlace: "lugar acertado", wrong: "errada", noAlert: "sin alerta", "not run": "sin correr"}

// spanish is docs/es/causes.md.
func spanish(r results) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Causas: qué dice la primera alerta de un fallo")
	line("")
	line("<!-- Lo escribe `make causes` a partir de e2e/faults/testdata/causes.json: no lo cambie a mano. -->")
	line("")
	line("Un servicio de mensajería (`e2e/faults/parcel`: ocho endpoints, SQLite con dos pools pequeños, otros dos servicios y un servidor")
	line("DNS en procesos propios) se daña de maneras reales mientras sus clientes envían %.0f peticiones por segundo. Tiene el archivo de", usualRate)
	line("dominio que escribiría un usuario, y las reglas por defecto. Se juzga la primera alerta que se avisa después del fallo, y nada")
	line("posterior: *acertada* nombra lo que es en el lugar que es; *lugar acertado*, solo el lugar. Al lado está la regla práctica: la función")
	line("del servicio con más tiempo de CPU. Si otra cosa ocupaba la máquina antes del fallo, `HostCPUHigh` no cuenta. [In English](../causes.md).")
	line("")
	line("    make causes                       todos los fallos a paso rápido: un minuto de las reglas pasa en un segundo")
	line("    make causes PACE=normal           lo mismo a paso normal, que tarda horas")
	line("    make causes FAULT=lock_io         uno de ellos")
	line("    make causes HEALTHY=30m           un tiempo sano, en el que no se puede culpar a nadie")
	line("")
	line("Medido en %s, hasta el %s%s.", strings.ReplaceAll(strings.Join(r.Machines, " y "), " CPUs of ", " CPU de "), r.Date, strings.NewReplacer("at a load average of", "con una carga media de", " to ", " a ").Replace(loads(r)))
	line("")
	paces := map[string]string{"fast": "rápido", "normal": "normal"}
	for _, sum := range sumsIn(r, "Paso %s: de %d fallos, la primera alerta es acertada en %d, tiene el lugar acertado en %d, es errada en %d y falta en %d; "+
		"acierta %d de %d que se ven en otro lugar, y %d de %d con un distractor. Mediana de %.0f s desde el fallo hasta el aviso. La regla práctica: %d aciertos, %d con el lugar acertado.",
		paces) {
		line("- %s", sum)
	}
	for _, p := range []string{"fast", "normal"} {
		if w, ok := r.Whole[p]; ok {
			line("- La última vez que se corrieron todos los fallos, a paso %s: %d de %d acertadas (%s). Cada fila es de la última vez que se corrió su fallo, que puede ser posterior.", paces[p], w.Right, w.Faults, w.Date)
		}
	}
	for _, p := range []string{"fast", "normal"} {
		if h, ok := r.Healthy[p]; ok {
			line("- %.0f minutos sanos a paso %s, con el tráfico entre la mitad y una vez y media, dos versiones y el recolector de basura ocupado: %d alertas; de %d simulacros, %d recibieron una causa (%s).",
				h.Minutes, paces[p], h.Alerts, h.Drills, h.Blamed, h.Date)
		}
	}
	line("")
	line("Cada fallo lleva a lo que se hizo y a las frases de sus alertas, en inglés, que es el idioma de ese dominio.")
	line("")
	line("| fallo | alerta | s | s, paso normal | veredicto | regla práctica |")
	line("|---|---|---|---|---|---|")
	line("%s", rows(r, "../causes.md", verdicts))
	line("E: se ve en otro lugar que donde está. D: con un distractor en el mismo momento.")
	return b.String()
}
