#!/usr/bin/env bash
# Builds the real servers that the tests run against, from their Go modules.
#
#   e2e/servers/build.sh              all that the tests need
#   e2e/servers/build.sh prometheus   only the named ones
#
# The API server of Kubernetes, with etcd and controller-gen, is built only where
# it is named, as make kubernetes does: it takes 17 minutes of CPU time.
#
# Each has a small module of its own beside this script, so that the versions
# that one server asks for never reach another, nor the SDK. The binaries go to
# $LATIDO_SERVERS_DIR, or else to latido/servers in the user's cache folder,
# where the tests find them. What is up to date is not built again.
#
# It needs Go, a C compiler and git. A first build takes minutes; later ones
# take most of their packages from Go's build cache.
set -euo pipefail

servers="prometheus promtool pyroscope alertmanager amtool collector jaeger victoriametrics"
named="kube-apiserver etcd controller-gen"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${LATIDO_SERVERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/latido/servers}

# recipe sets what is needed to build the server $1: module, the folder beside
# this script; package, the command in it; source, the module whose version is
# told; tags; flags, those of the linker, in which VERSION is that one; and cold,
# how long a build takes on two cores when nothing is cached.
recipe() {
	tags= flags=
	case $1 in
	prometheus | promtool)
		# Without the tag the binary has every cloud's SDK for discovery: twice
		# the size and the time.
		module=prometheus source=github.com/prometheus/prometheus
		package=$source/cmd/$1 tags=remove_all_sd cold="4 min"
		;;
	pyroscope)
		module=pyroscope source=github.com/grafana/pyroscope
		package=$source/cmd/$1 cold="3 min"
		;;
	alertmanager | amtool)
		module=alertmanager source=github.com/prometheus/alertmanager
		package=$source/cmd/$1 cold="2 min"
		;;
	collector)
		# Its main package is in the module itself, generated from manifest.yaml.
		module=collector source=go.opentelemetry.io/collector/otelcol
		package=. tags=remove_all_sd cold="5 min"
		;;
	jaeger)
		# The first version, which is one process with everything in memory.
		module=jaeger source=github.com/jaegertracing/jaeger
		package=$source/cmd/all-in-one cold="2 min"
		;;
	victoriametrics)
		module=victoriametrics source=github.com/VictoriaMetrics/VictoriaMetrics
		package=$source/app/victoria-metrics cold="1 min"
		;;
	kube-apiserver)
		# It does what the Kubernetes of its version does, which only the linker
		# tells it.
		module=kubernetes source=k8s.io/kubernetes package=$source/cmd/$1
		flags=" -X k8s.io/component-base/version.gitVersion=VERSION" cold="10 min"
		;;
	etcd)
		module=kubernetes source=go.etcd.io/etcd/server/v3 package=$source cold="1 min"
		;;
	controller-gen)
		# Writes the definitions of the Prometheus operator's objects from its types.
		module=crds source=sigs.k8s.io/controller-tools
		package=$source/cmd/$1 cold="1 min"
		;;
	*)
		echo "build.sh: unknown server \"$1\": known are $servers $named" >&2
		exit 2
		;;
	esac
}

# key is what the binary depends on. git hashes because every machine that has
# this checkout has git, while the names of the checksum tools differ.
key() {
	{
		go env GOVERSION GOOS GOARCH CGO_ENABLED
		echo "$1 $package $tags$flags"
		cat "$here/$module"/*
	} | git hash-object --stdin
}

# build makes the server $1, unless the binary made from the same key is there.
# The binary is moved into place at the end, so that a build which is broken
# off, or a second one at the same time, leaves no half of one behind.
build() {
	recipe "$1"
	cd "$here/$module"
	local want version start new log
	want=$(key "$1")
	version=$(go list -m -f '{{.Version}}' "$source")
	if [ -x "$dir/$1" ] && [ "$(cat "$dir/$1.key" 2>/dev/null)" = "$want" ]; then
		echo "$1 $version: up to date"
		return
	fi
	echo "$1 $version: building (about $cold from cold)..."
	start=$SECONDS
	new=$dir/.$1.$$
	log=$dir/$1.log
	if ! go build -tags "$tags" -ldflags "-s -w${flags//VERSION/$version}" -o "$new" "$package" >"$log" 2>&1; then
		rm -f "$new"
		tail -n 30 "$log" >&2
		echo "build.sh: $1 $version was not built; the whole output is in $log" >&2
		exit 1
	fi
	rm -f "$log"
	rm -f "$dir/$1.key" # before mv: an old key beside the new binary would be believed later
	mv "$new" "$dir/$1"
	echo "$want" >"$dir/$1.key"
	echo "$1 $version: done in $((SECONDS - start)) s"
}

# The modules beside this script are deliberately in no workspace.
export GOWORK=off

case $dir in
/*) ;;
*)
	echo "build.sh: LATIDO_SERVERS_DIR is \"$dir\": it must be an absolute path, the same for every test" >&2
	exit 2
	;;
esac
mkdir -p "$dir"
if [ $# -eq 0 ]; then
	# shellcheck disable=SC2086 # a list of words
	set -- $servers
fi
for name in "$@"; do
	recipe "$name" # a misspelt name is told before the minutes that the others take
done
for name in "$@"; do
	build "$name"
done
