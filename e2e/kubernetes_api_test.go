package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/latido-dev/latido/e2e/servers"
)

// kubernetesVariable asks for the tests that need an API server of Kubernetes.
const kubernetesVariable = "KUBERNETES"

// object is one of Kubernetes, as its JSON.
type object map[string]any

// at is the value at a path of keys; nil where there is none.
func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, key := range path {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

func (o object) text(path ...string) string {
	s, _ := o.at(path...).(string)
	return s
}

func (o object) String() string { return o.text("kind") + " " + o.text("metadata", "name") }

// cluster is what takes objects, with the names under which it takes them.
type cluster struct {
	*servers.Kubernetes
	resources map[string]meta.APIResource // by version and kind
}

// startCluster is an API server that knows the Prometheus operator's objects, as
// strictly as their types are.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	if os.Getenv(kubernetesVariable) == "" {
		t.Skip("make kubernetes builds an API server of Kubernetes, for 17 minutes of CPU time, and runs this")
	}
	c := &cluster{servers.StartKubernetes(t), map[string]meta.APIResource{}}
	c.discover(t, "v1", "apps/v1", "networking.k8s.io/v1", "policy/v1", "apiextensions.k8s.io/v1")
	for _, file := range definitions(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		c.accepts(t, "", parsed(t, text))
	}
	servers.WaitFor(t, servers.Patience, "the operator's objects", func() error {
		answer := c.Ask(t, http.MethodGet, "/apis/monitoring.coreos.com/v1", "", nil)
		var known meta.APIResourceList
		if err := json.Unmarshal(answer.Body, &known); err != nil {
			return fmt.Errorf("%d %s: %w", answer.Status, answer.Body, err)
		}
		whole := slices.DeleteFunc(known.APIResources, func(r meta.APIResource) bool { return strings.Contains(r.Name, "/") })
		if len(whole) < len(definitions(t)) {
			return fmt.Errorf("%d of %d", len(whole), len(definitions(t)))
		}
		return nil
	})
	c.discover(t, "monitoring.coreos.com/v1")
	return c
}

// definitions are the files of the operator's definitions of its objects, which
// controller-gen writes from their types, as the operator's authors have it do.
func definitions(t *testing.T) []string {
	t.Helper()
	folder := filepath.Join(built.dir, "definitions")
	if !isBuilt(folder) {
		cmd := exec.Command(servers.Path(t, "controller-gen"), "crd:crdVersions=v1,allowDangerousTypes=true",
			"paths=github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1", "output:crd:dir="+folder)
		cmd.Dir = filepath.Join(repository, "e2e", "servers", "crds")
		cmd.Env = append(os.Environ(), "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("controller-gen: %v\n%s", err, out)
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions in %s: %v", folder, err)
	}
	return files
}

// discover asks under which names the kinds of some versions are taken.
func (c *cluster) discover(t *testing.T, versions ...string) {
	t.Helper()
	for _, version := range versions {
		folder := "/apis/"
		if version == "v1" {
			folder = "/api/"
		}
		answer := c.Ask(t, http.MethodGet, folder+version, "", nil)
		var list meta.APIResourceList
		if err := json.Unmarshal(answer.Body, &list); err != nil || answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %s: %v", version, answer.Status, answer.Body, err)
		}
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") { // not the part of an object
				c.resources[version+" "+r.Kind] = r
			}
		}
	}
}

// path is where the objects of one's kind are.
func (c *cluster) path(t *testing.T, namespace string, o object) string {
	t.Helper()
	version := o.text("apiVersion")
	r, ok := c.resources[version+" "+o.text("kind")]
	if !ok {
		t.Fatalf("the cluster knows no %s %s", version, o.text("kind"))
	}
	path := "/apis/" + version
	if version == "v1" {
		path = "/api/v1"
	}
	if r.Namespaced {
		path += "/namespaces/" + namespace
	}
	return path + "/" + r.Name
}

// apply is kubectl apply --server-side, of one who wants to hear of every field
// that the cluster does not know. Whoever applies the same object under another
// name and says something else is refused.
func (c *cluster) apply(t *testing.T, by, namespace string, o object) servers.Answer {
	t.Helper()
	if own := o.text("metadata", "namespace"); own != "" {
		namespace = own
	}
	query := url.Values{"fieldManager": {by}, "fieldValidation": {"Strict"}}
	return c.Ask(t, http.MethodPatch, c.path(t, namespace, o)+"/"+o.text("metadata", "name")+"?"+query.Encode(), "application/apply-patch+yaml", encoded(t, o))
}

// create is kubectl create, as the controllers do it with pods.
func (c *cluster) create(t *testing.T, namespace string, o object) servers.Answer {
	t.Helper()
	return c.Ask(t, http.MethodPost, c.path(t, namespace, o)+"?fieldValidation=Strict", "application/json", encoded(t, o))
}

// accepts applies an object which has to be taken as it is, without a warning.
func (c *cluster) accepts(t *testing.T, namespace string, o object) {
	t.Helper()
	c.taken(t, o, c.apply(t, "test", namespace, o))
}

// taken looks whether the cluster keeps all of an object, and warns of nothing.
func (c *cluster) taken(t *testing.T, o object, answer servers.Answer) {
	t.Helper()
	if answer.Status != http.StatusOK && answer.Status != http.StatusCreated {
		t.Errorf("%s is refused: %d %s", o, answer.Status, reason(answer))
		return
	}
	for _, w := range answer.Warnings {
		t.Errorf("%s: %s", o, w)
	}
	var kept object
	if err := json.Unmarshal(answer.Body, &kept); err != nil {
		t.Fatal(err)
	}
	for _, lost := range missing("", map[string]any(o), map[string]any(kept)) {
		t.Errorf("%s: the cluster does not keep %s", o, lost)
	}
}

// missing are the paths of sent that kept lacks, or has otherwise.
func missing(path string, sent, kept any) (lost []string) {
	switch sent := sent.(type) {
	case map[string]any:
		k, _ := kept.(map[string]any)
		for key, value := range sent {
			if path == "" && key == "stringData" || value == nil {
				continue
			}
			lost = append(lost, missing(path+"."+key, value, k[key])...)
		}
	case []any:
		k, _ := kept.([]any)
		if len(k) < len(sent) {
			return []string{fmt.Sprintf("%s: %d of %d", path, len(k), len(sent))}
		}
		for i := range sent {
			lost = append(lost, missing(fmt.Sprintf("%s[%d]", path, i), sent[i], k[i])...)
		}
	default:
		if text, ok := sent.(string); ok { // base64 may have ends of lines
			sent = strings.ReplaceAll(text, "\n", "")
		}
		if text, ok := kept.(string); ok {
			kept = strings.ReplaceAll(text, "\n", "")
		}
		if kept != sent {
			lost = append(lost, fmt.Sprintf("%s: %.100v, but %.100v", path, sent, kept))
		}
	}
	return lost
}

// reason is what a refusal says.
func reason(answer servers.Answer) string {
	var status meta.Status
	if json.Unmarshal(answer.Body, &status) != nil || status.Message == "" {
		return string(answer.Body)
	}
	return status.Message
}

// restricted makes a namespace in which only what Pod Security calls restricted
// may run, with the account that a cluster's controllers make.
func (c *cluster) restricted(t *testing.T, name string) string {
	t.Helper()
	labels := map[string]any{}
	for _, mode := range []string{"enforce", "warn", "audit"} {
		labels["pod-security.kubernetes.io/"+mode] = "restricted"
	}
	c.accepts(t, "", object{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name, "labels": labels}})
	c.accepts(t, name, object{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": map[string]any{"name": "default"}})
	return name
}

// pod is what a controller makes of a workload's template; nil for an object
// that is none.
func pod(o object) object {
	template, _ := o.at("spec", "template").(map[string]any)
	if template == nil {
		return nil
	}
	metadata, _ := template["metadata"].(map[string]any)
	of := map[string]any{"generateName": o.text("metadata", "name") + "-"}
	for key, value := range metadata {
		of[key] = value
	}
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": of, "spec": template["spec"]}
}

func parsed(t *testing.T, text []byte) object {
	t.Helper()
	var o object
	if err := yaml.Unmarshal(text, &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func encoded(t *testing.T, o object) []byte {
	t.Helper()
	return must(json.Marshal(o))(t)
}
