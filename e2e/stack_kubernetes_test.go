package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	metaapi "k8s.io/apimachinery/pkg/api/meta"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	securityapi "k8s.io/pod-security-admission/api"
	podsecurity "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resource"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// kubectlLimit is what kubectl apply keeps of an object in an annotation, in
// bytes, which may not be longer
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/).
const kubectlLimit = 256 << 10

// kustomized are the objects that kubectl apply -k deploy would send from a
// service's folder.
func kustomized(t *testing.T, folder string) []*resource.Resource {
	t.Helper()
	all, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(folder, "deploy"))
	if err != nil {
		t.Fatal(err)
	}
	return all.Resources()
}

// manifests are those of the example, each read
// as strictly as the API's own types allow.
func manifests(t *testing.T) []runtime.Object {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, monitoring.AddToScheme, networking.AddToScheme, policy.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var all []runtime.Object
	for _, r := range kustomized(t, repository) {
		text := must(r.AsYAML())(t)
		object, kind, err := decoder.Decode(text, nil, nil)
		if err != nil {
			t.Errorf("%s %s: %v", r.GetKind(), r.GetName(), err)
			continue
		}
		if len(text) > kubectlLimit {
			t.Errorf("%s %s has %d bytes, of which kubectl apply takes %d", kind.Kind, r.GetName(), len(text), kubectlLimit)
		}
		all = append(all, object)
	}
	return all
}

// ofKind are the objects of one type.
func ofKind[T runtime.Object](all []runtime.Object) (found []T) {
	for _, object := range all {
		if o, ok := object.(T); ok {
			found = append(found, o)
		}
	}
	return found
}

// TestKubernetes builds the manifests and follows what one says of another.
func TestKubernetes(t *testing.T) {
	t.Parallel()
	all := manifests(t)
	if t.Failed() {
		return
	}
	var pods []core.PodTemplateSpec
	for _, d := range ofKind[*apps.Deployment](all) {
		pods = append(pods, d.Spec.Template)
	}
	for _, d := range ofKind[*apps.DaemonSet](all) {
		pods = append(pods, d.Spec.Template)
	}
	if len(pods) != 4 {
		t.Fatalf("%d workloads, want the service, the evidence, the agent and the gateway", len(pods))
	}
	configs := map[string]*core.ConfigMap{}
	for _, c := range ofKind[*core.ConfigMap](all) {
		configs[c.Name] = c
	}
	for _, p := range pods {
		checkPod(t, p, configs)
	}
	// ports are those of the pods that a selector finds.
	ports := func(what string, selector meta.LabelSelector) []string {
		s, err := meta.LabelSelectorAsSelector(&selector)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, p := range pods {
			if s.Matches(labels.Set(p.Labels)) {
				for _, port := range p.Spec.Containers[0].Ports {
					names = append(names, port.Name)
				}
			}
		}
		if len(names) == 0 {
			t.Errorf("%s finds no pod by %v", what, selector)
		}
		return names
	}
	for _, s := range ofKind[*core.Service](all) {
		names := ports("the service "+s.Name, meta.LabelSelector{MatchLabels: s.Spec.Selector})
		for _, p := range s.Spec.Ports {
			if !slices.Contains(names, p.TargetPort.StrVal) {
				t.Errorf("the service %s leads to the port %s, the pods have %v", s.Name, p.TargetPort.StrVal, names)
			}
		}
	}
	asked := map[string]bool{}
	for _, m := range ofKind[*monitoring.PodMonitor](all) {
		for _, p := range pods {
			s, err := meta.LabelSelectorAsSelector(&m.Spec.Selector)
			if err != nil {
				t.Fatal(err)
			}
			if name := p.Labels["app.kubernetes.io/name"]; s.Matches(labels.Set(p.Labels)) {
				if asked[name] {
					t.Errorf("two monitors ask %s, whose every sum is doubled", name)
				}
				asked[name] = true
			}
		}
		names := ports("the monitor "+m.Name, m.Spec.Selector)
		for _, e := range m.Spec.PodMetricsEndpoints {
			if e.Port == nil || !slices.Contains(names, *e.Port) {
				t.Errorf("the monitor %s asks another port than %v", m.Name, names)
			}
		}
	}
	if len(asked) != len(pods) {
		t.Errorf("monitors ask only %v", asked)
	}
	checkUsualCluster(t, all)
	checkKubernetesRules(t, ofKind[*monitoring.PrometheusRule](all))
	checkKubernetesReceivers(t, ofKind[*core.Secret](all))
	checkKubernetesDashboards(t, configs)
}

// checkUsualCluster looks for what a cluster with Pod Security "restricted" and
// kube-prometheus-stack, or kind and minikube, would refuse or never read.
func checkUsualCluster(t *testing.T, all []runtime.Object) {
	t.Helper()
	read := 0
	for _, object := range all {
		o, err := metaapi.Accessor(object)
		if err != nil {
			t.Fatal(err)
		}
		switch object.(type) {
		case *monitoring.PodMonitor, *monitoring.PrometheusRule:
			read++
			if o.GetLabels()["release"] != "kube-prometheus-stack" {
				t.Errorf("%s %T lacks the chart's label release, and is not read: %v", o.GetName(), object, o.GetLabels())
			}
		}
	}
	if read < 3 {
		t.Errorf("%d monitors and rules", read)
	}
	evaluator, err := podsecurity.NewEvaluator(podsecurity.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := securityapi.LevelVersion{Level: securityapi.LevelRestricted, Version: securityapi.LatestVersion()}
	judge := func(name string, p core.PodTemplateSpec) {
		for _, r := range evaluator.EvaluatePod(restricted, &p.ObjectMeta, &p.Spec) {
			if !r.Allowed {
				t.Errorf("Pod Security restricted refuses %s: %s, %s", name, r.ForbiddenReason, r.ForbiddenDetail)
			}
		}
	}
	for _, d := range ofKind[*apps.DaemonSet](all) {
		judge(d.Name, d.Spec.Template)
	}
	for _, d := range ofKind[*apps.Deployment](all) {
		judge(d.Name, d.Spec.Template)
		c := d.Spec.Template.Spec.Containers[0]
		if !strings.Contains(c.Image, ":") || strings.HasSuffix(c.Image, ":latest") {
			t.Errorf("%s has the image %s: with latest a loaded image is never run", d.Name, c.Image)
		}
		if d.Name != "tienda-api" {
			continue
		}
		if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil || *d.Spec.Template.Spec.TerminationGracePeriodSeconds < c.Lifecycle.PreStop.Sleep.Seconds+30 {
			t.Errorf("%s closes its port while the Service still leads there, or has too little time for what is in flight", d.Name)
		}
	}
	guarded := map[string]bool{}
	for _, p := range ofKind[*networking.NetworkPolicy](all) {
		for _, rule := range p.Spec.Ingress {
			for _, port := range rule.Ports {
				guarded[port.Port.StrVal] = len(rule.From) > 0
			}
		}
	}
	if !guarded["admin"] || !guarded["evidence"] {
		t.Errorf("any pod reaches the admin port or the evidence: %v", guarded)
	}
}

// checkPod looks at one pod: whether it is nobody, has limits and probes, and
// finds the files that it is started with.
func checkPod(t *testing.T, p core.PodTemplateSpec, configs map[string]*core.ConfigMap) {
	t.Helper()
	name, c := p.Labels["app.kubernetes.io/name"], p.Spec.Containers[0]
	security := c.SecurityContext
	if p.Spec.SecurityContext == nil || !*p.Spec.SecurityContext.RunAsNonRoot || security == nil || !*security.ReadOnlyRootFilesystem || *security.AllowPrivilegeEscalation {
		t.Errorf("%s may do more than it needs", name)
	}
	if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
		t.Errorf("%s has no limits", name)
	}
	if c.LivenessProbe == nil || c.ReadinessProbe == nil {
		t.Errorf("%s has no probes", name)
	}
	mounted := map[string]string{}
	for _, v := range p.Spec.Volumes {
		if v.ConfigMap == nil {
			continue
		}
		config := configs[v.ConfigMap.Name]
		if config == nil {
			t.Errorf("%s mounts the ConfigMap %s, which is not there", name, v.ConfigMap.Name)
			continue
		}
		for _, m := range c.VolumeMounts {
			if m.Name == v.Name {
				for key, text := range config.Data {
					mounted[m.MountPath+"/"+key] = text
				}
			}
		}
	}
	for _, e := range c.Env {
		// What is secret comes from a Secret, which no file here has.
		if strings.HasSuffix(e.Name, "PASSWORD") && (e.Value != "" || e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil) {
			t.Errorf("%s has %s from no Secret: %+v", name, e.Name, e)
		}
	}
	for _, arg := range c.Args {
		if file, ok := strings.CutPrefix(arg, "--config="); ok && mounted[file] == "" {
			t.Errorf("%s is started with %s, and has the files %v", name, file, mounted)
		}
	}
}

// checkKubernetesRules compares the rules with those of the files for servers:
// the service's, and those on the servers themselves.
func checkKubernetesRules(t *testing.T, found []*monitoring.PrometheusRule) {
	t.Helper()
	files := map[string]string{"tienda-api": exampleRules, "stack-watchers": watcherRules}
	if len(found) != len(files) {
		t.Fatalf("%d objects with rules, want %d", len(found), len(files))
	}
	for _, object := range found {
		text, err := os.ReadFile(files[object.Name])
		if err != nil {
			t.Fatalf("%s: %v", object.Name, err)
		}
		var want monitoring.PrometheusRuleSpec
		if err := yaml.UnmarshalStrict(text, &want); err != nil {
			t.Fatal(err)
		}
		got, wanted := must(yaml.Marshal(object.Spec))(t), must(yaml.Marshal(want))(t)
		if string(got) != string(wanted) {
			t.Errorf("the rules are not those of %s:\n%s", files[object.Name], got)
		}
	}
}

// checkKubernetesReceivers looks for the receivers of the domain file in the
// Alertmanager of kube-prometheus-stack: its values name the Secret that kustomize
// makes of the very files that Compose mounts, and the templates lie beside the
// configuration where the operator has Alertmanager read it.
func checkKubernetesReceivers(t *testing.T, secrets []*core.Secret) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy", "kube-prometheus-stack.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Prometheus struct {
			PrometheusSpec struct {
				Retention                     string
				EnableOTLPReceiver            bool
				AdditionalAlertManagerConfigs []any // the chart's own
			}
		}
		Alertmanager struct {
			AlertmanagerSpec struct {
				UseExistingSecret bool // the chart's own
				monitoring.AlertmanagerSpec
			}
		}
	}
	if err := yaml.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	if p := values.Prometheus.PrometheusSpec; !p.EnableOTLPReceiver || p.Retention == "" || len(p.AdditionalAlertManagerConfigs) != 1 {
		t.Errorf("Prometheus refuses what the gateway sends, keeps too little, or tells the evidence of no alert: %+v", p)
	}
	spec := values.Alertmanager.AlertmanagerSpec
	if len(secrets) != 1 || secrets[0].Name != spec.ConfigSecret || secrets[0].Namespace != "monitoring" || !spec.UseExistingSecret {
		t.Fatalf("Alertmanager reads the Secret %q, there are %+v", spec.ConfigSecret, secrets)
	}
	folder := filepath.Dir(exampleConfig)
	for _, name := range []string{"alertmanager.yaml", "latido.tmpl"} {
		want, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(secrets[0].Data[name]) != string(want) {
			t.Errorf("%s in the Secret is not that of %s", name, folder)
		}
	}
	mounted := map[string]string{}
	for _, m := range spec.VolumeMounts {
		i := slices.IndexFunc(spec.Volumes, func(v core.Volume) bool { return v.Name == m.Name && v.Secret != nil })
		if i < 0 {
			t.Errorf("there is no volume %s", m.Name)
			continue
		}
		mounted[m.MountPath] = spec.Volumes[i].Secret.SecretName + "/" + m.SubPath
	}
	if got, want := mounted["/etc/alertmanager/config_out/latido.tmpl"], spec.ConfigSecret+"/latido.tmpl"; got != want {
		t.Errorf("the templates are %q, want %q", got, want)
	}
}

// checkKubernetesDashboards compares the dashboards with those for Grafana.
func checkKubernetesDashboards(t *testing.T, configs map[string]*core.ConfigMap) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repository, "deploy/grafana/dashboards/*.json"))
	if err != nil || len(files) != 5 {
		t.Fatalf("%d dashboards, %v", len(files), err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		config := configs[strings.TrimSuffix(name, ".json")]
		if config == nil || config.Data[name] != string(want) || config.Labels["grafana_dashboard"] == "" {
			t.Errorf("no ConfigMap has %s for the sidecar", name)
		}
	}
}
