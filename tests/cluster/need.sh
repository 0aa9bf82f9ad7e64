# shellcheck shell=bash
# Sourced by build.sh and up.sh. `need PACKAGE...` makes sure that Debian packages are there: root installs what is
# missing, anybody else is told what to install.

say() { echo "tests/cluster: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

elsewhere="or name a cluster of your own in RUNBOOK_TEST_KUBECONFIG"

need() {
  command -v apt-get >/dev/null || fail "the cluster for the tests needs Debian 12 or Ubuntu ($elsewhere)"
  local package missing=()
  for package; do
    [[ $(dpkg-query -Wf '${Status}' "$package" 2>/dev/null) == *" installed" ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  [[ $EUID == 0 ]] || fail "run \`sudo apt-get install ${missing[*]}\` ($elsewhere)"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null || fail "\`apt-get update\` failed"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "\`apt-get install ${missing[*]}\` failed"
}
