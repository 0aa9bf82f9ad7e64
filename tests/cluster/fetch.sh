#!/usr/bin/env bash
# Fetches etcd, containerd and runc into the cache, once.
#
# They are Debian 12's, unpacked and not installed: nothing of this machine changes, no service starts, and the
# containerd that came with Docker, which may be too new for this Kubernetes, stays.
# usage: fetch.sh   (prints the folder)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/debian.sh
. "$here/debian.sh"

fetch() {
  say "fetching etcd, containerd and runc of Debian 12"
  bookworm download etcd-server containerd runc
  local package
  for package in "$work"/*.deb; do dpkg-deb -x "$package" "$work/root"; done
  find "$work"/root/usr/{sbin,bin} -type f -exec mv -t "$work/out" {} +
}

once "$cache/debian-12" fetch
