#!/usr/bin/env bash
# Writes the one container image of the test cluster, as an archive that containerd imports; no registry is asked.
#
# It holds the pause program and an otherwise empty root, in which /bin and /lib lead to /usr: a pod that mounts this
# machine's /usr there has this machine's programs.
# usage: image.sh ARCHIVE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

root=$work/root
mkdir -p "$root"/{data,dev,etc,proc,run,sys,tmp,usr,var}
chmod 1777 "$root"/{data,tmp}
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$root/$name"; done
printf '%s\n' 'root:x:0:0::/:/bin/sh' 'nobody:x:65534:65534::/:/bin/sh' >"$root/etc/passwd"
if [[ -d /etc/alternatives ]]; then cp -a /etc/alternatives "$root/etc/"; fi
gcc -static -O2 -o "$root/pause" "$here/pause.c"

tar -C "$root" --owner=0 --group=0 -cf "$work/layer.tar" .
layer=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
architecture=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
cat >"$work/config.json" <<J
{"architecture": "$architecture", "os": "linux", "config": {"Cmd": ["/pause"]},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
J
cat >"$work/manifest.json" <<J
[{"Config": "config.json", "RepoTags": ["docker.io/runbook/empty:1"], "Layers": ["layer.tar"]}]
J
tar -C "$work" -cf "$1" manifest.json config.json layer.tar
