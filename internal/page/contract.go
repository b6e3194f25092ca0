package page

import "github.com/latido-dev/latido/domain"

// Describe is what a metric says, in the page's language. The domain file
// describes its events in its own.
func (w words) Describe(m domain.Metric) string {
	if spanish := contract[m.Key]; w.Spanish && m.Event == nil && spanish != "" {
		return spanish
	}
	return m.Description
}

// contract describes in Spanish the metrics that every service has, by their
// short names. /metrics has the English texts alone: a help text is part of it.
var contract = map[string]string{
	"requests":             "Peticiones respondidas, por patrón de ruta y por el estado que recibió el cliente: 499 es un cliente que se fue, 500 una respuesta cortada, 101 una conexión que pasó a otras manos.",
	"response_duration":    "Tiempo desde que la petición llega a su handler hasta que este termina, o hasta el primer envío de una respuesta que se envía por partes (un flujo).",
	"active_connections":   "Conexiones TCP abiertas al servicio.",
	"active_requests":      "Peticiones en curso: hasta que el handler termina, hasta el primer envío de un flujo, o hasta que la conexión pasa a otras manos.",
	"cpu_usage":            "Tiempo de CPU en uso en la máquina, de todos sus núcleos, desde la muestra anterior.",
	"memory_usage":         "Memoria en uso en la máquina.",
	"disk_usage":           "Espacio en uso en el sistema de archivos de la ruta configurada.",
	"entities_created":     "Entidades del dominio creadas.",
	"entities_updated":     "Entidades del dominio actualizadas.",
	"api_errors":           "Errores por tipo.",
	"client_requests":      "Peticiones enviadas, por host y por clase de estado. Sin respuesta: timeout, canceled, dial o error.",
	"client_duration":      "Tiempo desde que se envía una petición hasta la cabecera de su respuesta, o hasta que no la hubo.",
	"requests_gone_time":   "Tiempo que esperaron los clientes que se fueron sin respuesta, sumado; requests con estado 499 los cuenta.",
	"failures":             "Peticiones respondidas con 400 o más, sin los clientes que se fueron ni las direcciones sin ruta, por la función que respondió o entró en pánico.",
	"changes":              "Cambios de los ajustes del servicio, por ajuste.",
	"pool_connections":     "Conexiones a una base de datos: en uso, o libres.",
	"pool_connections_max": "Conexiones a una base de datos que puede haber a la vez, si hay un límite.",
	"pool_waits":           "Veces que alguien tuvo que esperar una conexión a una base de datos.",
	"pool_wait_time":       "Tiempo esperado por conexiones a una base de datos. Una espera cuenta cuando termina: mientras nadie devuelve una conexión, no avanza, y pool_waits crece.",
	"function_calls":       "Llamadas a funciones monitoreadas; error_type está vacío en las que salieron bien.",
	"function_duration":    "Duración de las llamadas a funciones monitoreadas.",
	"build_info":           "Siempre 1; sus etiquetas dicen qué está corriendo.",

	"process_cpu_time":                "Tiempo de CPU que ha usado el proceso.",
	"process_memory_usage":            "Memoria residente del proceso.",
	"process_open_fds":                "Descriptores de archivo que el proceso tiene abiertos.",
	"process_max_fds":                 "Descriptores de archivo que el proceso puede tener abiertos.",
	"process_threads":                 "Hilos del proceso, del sistema operativo.",
	"process_stalled_time":            "Tiempo en que el proceso no se ejecutó: la suma de las señales periódicas de su perfilador que llegaron con más de 0,1 s de retraso. Él o su máquina estaban detenidos, o no tenía CPU.",
	"process_start_time":              "Cuándo arrancó el proceso, en segundos desde 1970.",
	"container_cpu_time":              "Tiempo de CPU que ha usado el contenedor (grupo de control).",
	"container_cpu_limit":             "CPU que el contenedor puede usar a la vez, si hay un límite.",
	"container_cpu_periods":           "Periodos en los que se aplicó el límite de CPU; el contenedor corrió en cada uno.",
	"container_cpu_throttled_periods": "Periodos en los que el contenedor tuvo que esperar, porque agotó su límite de CPU.",
	"container_cpu_throttled_time":    "Tiempo que esperaron los hilos del contenedor, porque agotó su límite de CPU.",
	"container_memory_working_set":    "Memoria del contenedor que no se puede liberar de inmediato: la que está en uso, menos la caché de archivos inactiva.",
	"container_memory_limit":          "Memoria que el contenedor puede usar, si hay un límite.",
	"container_memory_oom_kills":      "Procesos del contenedor que el kernel mató por falta de memoria.",

	"telemetry_refused":           "Registros que no se tomaron como venían: un evento o un valor sin declarar, un número que no se puede contar.",
	"telemetry_exports":           "Envíos de métricas, perfiles y spans, por su resultado.",
	"telemetry_profiles_dropped":  "Perfiles perdidos porque la cola de envíos estaba llena.",
	"telemetry_spans_lost":        "Spans muestreados que se perdieron: la cola estaba llena, un envío falló, o el servidor los rechazó.",
	"telemetry_profiles_buffered": "Tamaño de los perfiles que guarda el proceso.",
	"telemetry_profiles_gaps":     "Ventanas sin perfil de CPU, porque otro corría en el proceso: su tiempo de CPU no está en ninguna cifra.",
	"telemetry_collect_errors":    "Series de otros que no se pudieron leer: una función que entró en pánico o no respondió, nombres que chocan, texto que no es UTF-8.",
	"telemetry_alert_deliveries":  "Intentos de entregar alertas, por receptor y resultado.",
	"telemetry_incidents":         "Incidentes por resultado: guardados con evidencia, guardados sin ella, descartados por los límites, o fallidos.",
	"telemetry_store_series":      "Series en la cabeza del almacén del proceso.",
	"telemetry_store_size":        "Tamaño en disco del almacén del proceso; 0 mientras está en memoria.",
	"telemetry_store_faults":      "Fallos que superó el almacén del proceso: un disco lleno, un archivo dañado, un reloj que saltó, series por encima del límite, una regla que falló.",

	"event_cpu":       "Tiempo de CPU que cuesta un evento: lo que el perfil tiene de su endpoint y método, dividido por la cuenta del evento.",
	"event_allocated": "Bytes que cuesta un evento: lo que el perfil tiene de su endpoint y método, dividido por la cuenta del evento.",

	"go_cpu_time":           "Tiempo de CPU de los procesadores del runtime de Go según lo que hicieron, una estimación: compare solo los estados entre sí. Avanza al final de cada recolección de basura.",
	"go_mutex_wait_time":    "Tiempo que las goroutines han esperado por un sync.Mutex, un sync.RWMutex o un lock del runtime, una estimación.",
	"go_goroutine_states":   "Goroutines por estado: running (corren), runnable (sin procesador), waiting (esperan) o not_in_go (en una llamada al sistema o en C).",
	"go_memory_live":        "Memoria del heap que la última recolección de basura encontró en uso.",
	"go_memory_used":        "Memoria que usa el runtime de Go.",
	"go_memory_limit":       "Límite de memoria del runtime de Go que configuró el usuario, si hay uno.",
	"go_memory_allocated":   "Memoria que la aplicación ha reservado en el heap.",
	"go_memory_allocations": "Número de reservas de memoria de la aplicación en el heap.",
	"go_memory_gc_goal":     "Tamaño del heap previsto para el final del ciclo de recolección de basura.",
	"go_goroutine_count":    "Número de goroutines vivas.",
	"go_processor_limit":    "Número de hilos del sistema operativo que pueden correr código de Go a la vez.",
	"go_config_gogc":        "Porcentaje de crecimiento del heap que configuró el usuario; si no, 100.",
	"go_schedule_duration":  "Tiempo que las goroutines han pasado listas para correr antes de correr.",
}
