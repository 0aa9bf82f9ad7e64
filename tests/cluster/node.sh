#!/usr/bin/env bash
# The first process of the test cluster's own namespaces; up.sh starts it, and the cluster ends with it.
# usage: node.sh PATH STATE GROUP PORT PORT PORT PORT
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=tests/cluster/debian.sh
. "$here/debian.sh"

programs=$1 state=$2 group=$3 api=$4 etcd=$5 peer=$6 kubelet=$7
export KUBECONFIG=$state/kubeconfig HOME=$state/home PATH=$programs:$PATH
cd "$state"
mkdir home logs certs

# What these programs keep at fixed places goes into memory, and with this namespace. This machine's resolver
# settings may be a link into one of those places.
cp -L /etc/resolv.conf resolv.conf 2>/dev/null || : >resolv.conf
for folder in /var/lib /var/log /run; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done

# The kubelet sets these for the whole machine unless they are so already; here they seem to be.
pretend() {
  echo "$2" >"/run/${1//\//.}"
  mount --bind "/run/${1//\//.}" "/proc/sys/$1"
}
pretend vm/overcommit_memory 1
pretend vm/panic_on_oom 0
pretend kernel/panic 10
pretend kernel/panic_on_oops 1
pretend kernel/keys/root_maxkeys 1000000
pretend kernel/keys/root_maxbytes 25000000

declare -A pids
start() {
  local name=$1
  shift
  "$@" >"logs/$name" 2>&1 &
  pids[$name]=$!
}

# Waits until a command succeeds, for as long as every program runs.
await() {
  local name deadline=$((SECONDS + 90))
  until "$@" >/dev/null 2>&1; do
    for name in "${!pids[@]}"; do
      kill -0 "${pids[$name]}" 2>/dev/null || { tail -n 20 "logs/$name" >&2 && fail "$name ended"; }
    done
    if ((SECONDS > deadline)); then
      tail -n 5 logs/* >&2
      fail "the cluster is not ready after 90 s: \`$*\` fails"
    fi
    sleep 0.2
  done
}

certificates() {
  local new=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30)
  "${new[@]}" -keyout certs/ca.key -out certs/ca.crt -subj /CN=runbook-tests
  "${new[@]}" -keyout certs/api.key -out certs/api.crt -subj /CN=kube-apiserver -CA certs/ca.crt -CAkey certs/ca.key \
    -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost,IP:127.0.0.1
  openssl ecparam -genkey -name prime256v1 -noout -out certs/accounts.key
} 2>/dev/null

configure() {
  local token
  token=$(openssl rand -hex 16)
  echo "$token,admin,admin,system:masters" >certs/tokens.csv
  chmod 600 certs/*
  cat >kubeconfig <<K
apiVersion: v1
kind: Config
clusters:
- name: tests
  cluster: {server: "https://127.0.0.1:$api", certificate-authority-data: $(base64 -w0 certs/ca.crt)}
users: [{name: admin, user: {token: $token}}]
contexts: [{name: tests, context: {cluster: tests, user: admin, namespace: default}}]
current-context: tests
K
  chmod 600 kubeconfig
  # Pods use this machine's network; containerd only wants some configuration to be there.
  mkdir -p /var/lib/cni
  echo '{"cniVersion":"0.4.0","name":"none","plugins":[{"type":"loopback"}]}' >/var/lib/cni/10-none.conflist
  cat >containerd.toml <<C
version = 2
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/runbook/empty:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "/var/lib/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
C
  cat >kubelet.yaml <<K
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
port: $kubelet
healthzPort: 0
tlsCertFile: $state/certs/api.crt
tlsPrivateKeyFile: $state/certs/api.key
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
resolvConf: $state/resolv.conf
cgroupDriver: cgroupfs
cgroupRoot: /$group
enforceNodeAllocatable: []
evictionHard: {}
imageGCHighThresholdPercent: 100
failSwapOn: false
makeIPTablesUtilChains: false
K
}

bring_up() {
  start containerd containerd --config containerd.toml
  start etcd etcd --data-dir /var/lib/etcd --unsafe-no-fsync --initial-cluster "default=http://127.0.0.1:$peer" \
    --listen-client-urls "http://127.0.0.1:$etcd" --advertise-client-urls "http://127.0.0.1:$etcd" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer"
  start apiserver kube-apiserver --etcd-servers="http://127.0.0.1:$etcd" --bind-address=127.0.0.1 --secure-port="$api" \
    --tls-cert-file=certs/api.crt --tls-private-key-file=certs/api.key --token-auth-file=certs/tokens.csv \
    --authorization-mode=RBAC --allow-privileged --disable-admission-plugins=ServiceAccount \
    --service-account-issuer=https://kubernetes.default --service-account-key-file=certs/accounts.key \
    --service-account-signing-key-file=certs/accounts.key --service-cluster-ip-range=10.0.0.0/24 \
    --advertise-address=127.0.0.1 --endpoint-reconciler-type=none --kubelet-preferred-address-types=InternalIP
  await ctr version
  ctr -n k8s.io images import image.tar >/dev/null
  await kubectl get --raw /readyz
  start controllers kube-controller-manager --kubeconfig=kubeconfig --leader-elect=false --port=0 --secure-port=0 \
    --service-account-private-key-file=certs/accounts.key --root-ca-file=certs/ca.crt \
    --flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins
  start scheduler kube-scheduler --kubeconfig=kubeconfig --leader-elect=false --port=0 --secure-port=0
  # A node whose name is an address has that address, so the API server reaches the kubelet on loopback.
  start kubelet kubelet --config kubelet.yaml --kubeconfig kubeconfig --hostname-override=127.0.0.1 \
    --container-runtime=remote --container-runtime-endpoint=unix:///run/containerd/containerd.sock \
    --volume-plugin-dir=/var/lib/kubelet/volume-plugins
  await kubectl wait --for=condition=Ready --timeout=1s node/127.0.0.1
  echo "ready $KUBECONFIG"
}

# Standard input may end at any time, in the middle of the start as well.
exec 3<&0 </dev/null
cat <&3 >/dev/null &
input=$!
(certificates && configure && bring_up) 3<&- &
wait -n -p ended
[[ $ended == "$input" ]] || wait "$input"
