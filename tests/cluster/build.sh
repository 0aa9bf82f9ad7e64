#!/usr/bin/env bash
# Builds Kubernetes 1.20.2 (API server, controller manager, scheduler, kubelet, kubectl) into the cache, once.
#
# Debian 12 has the servers only as the source package `kubernetes`, which brings every Go dependency with it: nothing
# else is fetched. It takes some ten minutes on two cores, 6 GB meanwhile and 400 MB in the end.
# usage: build.sh   (prints the folder)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/debian.sh
. "$here/debian.sh"

version=1.20.2
programs=(kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl)
reflect2=/usr/share/gocode/src/github.com/modern-go/reflect2

build() {
  say "building Kubernetes $version from Debian's source package: some ten minutes, only this once"
  need gcc:gcc go:golang-go jq:jq make:make rsync:rsync "$reflect2:golang-github-modern-go-reflect2-dev"
  bookworm source --download-only kubernetes
  cd "$work"
  # apt has verified the package against the signed index; the signature inside it is by a developer's key, which is
  # not installed here.
  dpkg-source --no-check -x ./*.dsc src >/dev/null

  # The vendored reflect2 1.0.1 crashes at random in programs made by Go 1.18 and later; Debian's own 1.0.2 does not.
  rm src/vendor/github.com/modern-go/reflect2/*
  cp "$reflect2"/* src/vendor/github.com/modern-go/reflect2/

  # Today's Go refuses this go.mod, so the tree is built the old way, below a GOPATH.
  export GOPATH=$work/go GOCACHE=$work/gocache GOTMPDIR=$work/tmp GOFLAGS='' GOTOOLCHAIN=local
  mkdir -p "$GOPATH/src/k8s.io" "$GOTMPDIR"
  ln -s "$work/src" "$GOPATH/src/k8s.io/kubernetes"
  say "generating code"
  (cd src && nice make generated_files) >log 2>&1 || { tail -n 20 log >&2 && fail "no code generated"; }

  local package flags='-s -w'
  for package in k8s.io/{client-go/pkg,component-base}/version; do
    package=k8s.io/kubernetes/vendor/$package
    flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=20"
  done
  say "compiling ${programs[*]}"
  cd "$GOPATH/src/k8s.io/kubernetes"
  GO111MODULE=off nice go build -ldflags "$flags" -o "$work/out/" "${programs[@]/#/./cmd/}" >&2
  say "built Kubernetes $version in $((SECONDS / 60)) minutes"
}

once "$cache/$version" build
