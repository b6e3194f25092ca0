package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/latido-dev/latido/e2e/servers"
)

// TestKubernetesAPI has a real API server take what is generated, in namespaces
// where Pod Security refuses all that is not restricted: the example's, that of
// a new service of each kind, and those of two services in one cluster. Nothing
// in a cluster makes pods here, so that the test makes them of the templates.
func TestKubernetesAPI(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	c.restricted(t, "monitoring")
	t.Run("broken", func(t *testing.T) { c.refuses(t) })
	t.Run("example", func(t *testing.T) {
		// Its name is that of the ecommerce below, whose Secret it has in monitoring.
		c.takes(t, "ecommerce", c.restricted(t, "shop"), repository)
		c.takesValues(t, repository)
	})
	two := c.restricted(t, "two")
	for i, kind := range []string{"ecommerce", "education", "health", "logistics", "saas"} {
		folder := fresh(t, kind)
		t.Run(kind, func(t *testing.T) {
			c.takes(t, kind, c.restricted(t, "new-"+kind), folder)
			c.takesValues(t, folder)
			if i < 2 { // one cluster, one stack: what both have is the same, or one would undo the other's
				c.takes(t, kind, two, folder)
			}
		})
	}
	t.Run("long name", func(t *testing.T) { // as long as one may be, with all that it may have
		c.takes(t, "long", c.restricted(t, "long"), fresh(t, "saas", "-app", "Servicio_de_Suscripciones.y-Facturas_de_"+strings.Repeat("muchos", 3)+"Paise"))
	})
}

// fresh is the folder of a new service.
func fresh(t *testing.T, kind string, flags ...string) string {
	t.Helper()
	folder := t.TempDir()
	args := append([]string{"init", "-kind", kind, "-dir", folder, "-notify", "guardia@example.com"}, flags...)
	if out, err := exec.Command(program(t, "cmd/latido"), args...).CombinedOutput(); err != nil {
		t.Fatalf("latido init: %v\n%s", err, out)
	}
	return folder
}

// takes applies all that a service's folder has for Kubernetes.
func (c *cluster) takes(t *testing.T, by, namespace, folder string) {
	t.Helper()
	all := generated(t, folder)
	pods := 0
	for _, o := range all {
		c.taken(t, o, c.apply(t, by, namespace, o))
		if p := pod(o); p != nil {
			pods++
			c.taken(t, p, c.create(t, namespace, p))
		}
	}
	if len(all) < 15 || pods != 4 {
		t.Errorf("%d objects, and %d pods: want those of the service, the evidence, the agent and the gateway", len(all), pods)
	}
}

// generated are the objects of a service's folder.
func generated(t *testing.T, folder string) (all []object) {
	t.Helper()
	for _, r := range kustomized(t, folder) {
		all = append(all, parsed(t, must(r.AsYAML())(t)))
	}
	return all
}

// takesValues applies what kube-prometheus-stack makes of the values that are
// generated for it: an object of Prometheus and one of Alertmanager.
func (c *cluster) takesValues(t *testing.T, folder string) {
	t.Helper()
	values := parsed(t, must(os.ReadFile(filepath.Join(folder, "deploy", "kube-prometheus-stack.yaml")))(t))
	for kind, key := range map[string]string{"Prometheus": "prometheus", "Alertmanager": "alertmanager"} {
		spec, _ := values.at(key, key+"Spec").(map[string]any)
		if len(spec) < 3 {
			t.Fatalf("the values of %s are %v", kind, spec)
		}
		// The chart's own: it makes a Secret of the one, and reads the other.
		for _, own := range []string{"additionalAlertManagerConfigs", "useExistingSecret"} {
			delete(spec, own)
		}
		c.accepts(t, "monitoring", object{
			"apiVersion": "monitoring.coreos.com/v1", "kind": kind, "metadata": map[string]any{"name": filepath.Base(folder)}, "spec": spec,
		})
	}
}

// refuses breaks the example's manifests, one at a time, so that what takes them
// is seen to look at them.
func (c *cluster) refuses(t *testing.T) {
	t.Helper()
	namespace := c.restricted(t, "broken")
	the := func(kind, name string) object {
		all := generated(t, repository)
		i := slices.IndexFunc(all, func(o object) bool { return o.text("kind") == kind && o.text("metadata", "name") == name })
		if i < 0 {
			t.Fatalf("there is no %s %s", kind, name)
		}
		return all[i]
	}
	within := func(v any, path ...any) map[string]any {
		for _, step := range path {
			switch step := step.(type) {
			case string:
				v = v.(map[string]any)[step]
			case int:
				v = v.([]any)[step]
			}
		}
		return v.(map[string]any)
	}
	says := func(what string, o object, answer servers.Answer, status int, want string) {
		t.Helper()
		text := reason(answer) + strings.Join(answer.Warnings, "\n")
		if answer.Status != status || !strings.Contains(text, want) {
			t.Errorf("%s: %s gets %d, want %d and %q in %.500s", what, o, answer.Status, status, want, text)
		}
	}

	service := the("Deployment", "tienda-api")
	within(map[string]any(service), "spec")["replica"] = 3
	says("an unknown field", service, c.apply(t, "test", namespace, service), http.StatusInternalServerError, "replica")
	says("an unknown field", service, c.create(t, namespace, service), http.StatusBadRequest, `unknown field "spec.replica"`)

	monitor := the("PodMonitor", "tienda-api")
	within(map[string]any(monitor), "spec", "podMetricsEndpoints", 0)["intervall"] = "15s"
	says("an unknown field of the operator's", monitor, c.create(t, namespace, monitor), http.StatusBadRequest, "intervall")
	monitor = the("PodMonitor", "tienda-api")
	within(map[string]any(monitor), "spec", "podMetricsEndpoints", 0)["interval"] = "often"
	says("no length of time", monitor, c.create(t, namespace, monitor), http.StatusUnprocessableEntity, "interval")

	for what, change := range map[string]func(spec map[string]any){
		"hostPort": func(spec map[string]any) {
			within(spec, "containers", 0, "ports", 0)["hostPort"] = 8080
		},
		"runAsNonRoot != true": func(spec map[string]any) {
			delete(within(spec, "securityContext"), "runAsNonRoot")
		},
		"seccompProfile": func(spec map[string]any) {
			delete(within(spec, "securityContext"), "seccompProfile")
		},
	} {
		service := the("Deployment", "tienda-api")
		change(within(map[string]any(service), "spec", "template", "spec"))
		answer := c.Ask(t, http.MethodPost, c.path(t, namespace, service)+"?dryRun=All", "application/json", encoded(t, service))
		says(what, service, answer, http.StatusCreated, what) // a warning: no pod comes of it
		says(what, pod(service), c.create(t, namespace, pod(service)), http.StatusForbidden, what)
	}
}
