#!/usr/bin/env bash
# Builds Kubernetes 1.20.2 (API server, controller manager, scheduler, kubelet, kubectl) into the cache, once.
#
# Debian 12 has Kubernetes only as the source package `kubernetes`, which brings every Go dependency with it: nothing
# else is fetched. It takes some ten minutes on two cores, 6 GB meanwhile and 400 MB in the end. Prints the folder.
# usage: build.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/need.sh
. "$here/need.sh"

version=1.20.2
programs=(kube-apiserver kube-controller-manager kube-scheduler kubelet kubectl)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/runbook/kubernetes
out=$cache/$version

built() {
  local program
  for program in "${programs[@]}"; do [[ -x $out/$program ]] || return 1; done
}

if built; then
  echo "$out"
  exit
fi
mkdir -p "$cache"
exec 9>"$cache/lock"
flock -n 9 || { say "waiting for another build of Kubernetes" && flock 9; }
if built; then
  echo "$out"
  exit
fi

say "building Kubernetes $version from Debian's source package: some ten minutes, only this once"
packages=(ca-certificates debian-archive-keyring dpkg-dev gcc golang-github-modern-go-reflect2-dev golang-go jq make rsync)
need "${packages[@]}"
# With the lock held, whatever an earlier build left behind is nobody's.
rm -rf "$cache"/building.*
work=$(mktemp -d "$cache/building.XXXXXX")
trap 'rm -rf "$work"' EXIT

# The package as of Debian 12, from this machine's own mirror if that is what it runs.
mkdir -p "$work"/{lists,cache/archives}/partial "$work/parts"
mirrors=/etc/apt/sources.list.d/debian.sources
if [[ -f $mirrors ]] && grep -q '^VERSION_CODENAME=bookworm$' /etc/os-release; then
  sed 's/^Types: deb$/Types: deb-src/' "$mirrors" >"$work/parts/debian.sources"
else
  keys=/usr/share/keyrings/debian-archive-keyring.gpg
  echo "deb-src [signed-by=$keys] http://deb.debian.org/debian bookworm main" >"$work/parts/debian.list"
fi
apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts"
  -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=)
"${apt[@]}" update >&2
cd "$work"
"${apt[@]}" source --download-only kubernetes >&2
# apt has verified the package against the signed index, so the signature inside it, by a key of Debian's
# developers that is not installed here, adds nothing.
dpkg-source --no-check -x ./*.dsc src >/dev/null

# The vendored reflect2 1.0.1 crashes at random in programs made by Go 1.18 and later; Debian's own 1.0.2 does not.
rm src/vendor/github.com/modern-go/reflect2/*
cp /usr/share/gocode/src/github.com/modern-go/reflect2/* src/vendor/github.com/modern-go/reflect2/

# Today's Go refuses this go.mod, so the tree is built the old way, below a GOPATH.
export GOPATH=$work/go GOCACHE=$work/gocache GOTMPDIR=$work/tmp GOFLAGS='' GOTOOLCHAIN=local
mkdir -p "$GOPATH/src/k8s.io" "$GOTMPDIR" "$work/bin"
ln -s "$work/src" "$GOPATH/src/k8s.io/kubernetes"
say "generating code"
(cd src && nice make generated_files) >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2 && fail "no code generated"; }
flags='-s -w'
for package in k8s.io/{client-go/pkg,component-base}/version; do
  package=k8s.io/kubernetes/vendor/$package
  flags+=" -X $package.gitVersion=v$version -X $package.gitMajor=1 -X $package.gitMinor=20"
done
say "compiling ${programs[*]}"
cd "$GOPATH/src/k8s.io/kubernetes"
GO111MODULE=off nice go build -ldflags "$flags" -o "$work/bin/" "${programs[@]/#/./cmd/}" >&2

# Whole or not at all: this is a rename within the cache.
rm -rf "$out"
mv "$work/bin" "$out"
say "Kubernetes $version is in $out, after $((SECONDS / 60)) minutes"
echo "$out"
