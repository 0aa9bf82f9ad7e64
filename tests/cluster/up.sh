#!/usr/bin/env bash
# Runs a real one-node Kubernetes for the tests, on loopback, until its standard input ends.
#
# It says `ready KUBECONFIG` on standard output once pods can run. Whoever holds the other end of its standard input
# keeps it alive: when that process ends, however it ends, the cluster goes and leaves nothing behind. Everything
# runs in process and mount namespaces of its own (node.sh), so the kernel ends every process and every mount
# together with the first; only the control groups and the state folder are left to remove here. Ports are free
# ones, so several clusters run side by side.
# usage: up.sh   (by hand: it ends with Ctrl-D or Ctrl-C)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/debian.sh
. "$here/debian.sh"

[[ $EUID == 0 ]] || fail "containers need root: run the tests as root ($elsewhere)"
need gcc:gcc /usr/include/signal.h:libc6-dev openssl:openssl unshare:util-linux
kubernetes=$("$here/build.sh")
others=$("$here/fetch.sh")

# Below /tmp whatever TMPDIR says: the path of a Unix socket has room for 107 bytes.
state=$(mktemp -d /tmp/rbk.XXXXXX)
group=runbook-${state##*.}
mapfile -t hierarchies < <(awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/mounts)

clean_up() {
  local attempt hierarchy
  # If this script was told to end, the node has not ended yet.
  [[ -z ${node-} ]] || kill -KILL "$node" 2>/dev/null || true
  for attempt in {1..50}; do
    for hierarchy in "${hierarchies[@]}"; do
      [[ ! -d $hierarchy/$group ]] || find "$hierarchy/$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
    done
    compgen -G "/sys/fs/cgroup/$group" >/dev/null || compgen -G "/sys/fs/cgroup/*/$group" >/dev/null || break
    # A process that was killed may still be on its way out.
    sleep 0.1
  done
  rm -rf "$state"
}
trap clean_up EXIT

# Each kubelet gets control groups of its own: it ends every pod it does not know below its root.
for hierarchy in "${hierarchies[@]}"; do
  mkdir -p "$hierarchy/$group"
  if [[ -f $hierarchy/cgroup.controllers ]]; then
    for controller in $(<"$hierarchy/cgroup.controllers"); do
      echo "+$controller" >"$hierarchy/cgroup.subtree_control" || true
    done 2>/dev/null
  fi
done

# Free ports below those that the system hands out by itself.
ports=()
while ((${#ports[@]} < 4)); do
  port=$((20000 + RANDOM % 12000))
  [[ " ${ports[*]} " == *" $port "* ]] || (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || ports+=("$port")
done

"$here/image.sh" "$state/image.tar"
unshare --mount --pid --fork --kill-child --mount-proc \
  "$here/node.sh" "$kubernetes:$others" "$state" "$group" "${ports[@]}" <&0 &
node=$!
wait "$node"
