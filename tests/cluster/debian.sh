# shellcheck shell=bash
# Sourced by the other scripts: what they say, and where the programs of the cluster come from.

say() { echo "tests/cluster: $*" >&2; }
fail() {
  say "$*"
  exit 1
}

elsewhere="or name a cluster of your own in RUNBOOK_TEST_KUBECONFIG"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/runbook/kubernetes

# need FILE:PACKAGE... makes sure that commands or files are there: root installs the Debian packages of those that
# are missing, anybody else is told what to install.
need() {
  local pair missing=()
  for pair; do
    command -v "${pair%:*}" >/dev/null || [[ -e ${pair%:*} ]] || missing+=("${pair#*:}")
  done
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || fail "the tests' cluster needs ${missing[*]} of Debian or Ubuntu ($elsewhere)"
  [[ $EUID == 0 ]] || fail "run \`sudo apt-get install ${missing[*]}\` ($elsewhere)"
  say "installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >/dev/null || fail "\`apt-get update\` failed"
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    fail "\`apt-get install ${missing[*]}\` failed"
}

# once FOLDER COMMAND... prints the folder, which the command makes first if it is not there. The command gets an
# empty folder, $work, and puts the result into $work/out: that becomes the folder, whole or not at all. Of two
# processes one waits for the other.
once() {
  local folder=$1
  shift
  if [[ ! -d $folder ]]; then
    mkdir -p "$cache"
    exec 9>"$folder.lock"
    flock -n 9 || { say "waiting for another process to make $folder" && flock 9; }
  fi
  if [[ ! -d $folder ]]; then
    # With the lock held, whatever an earlier process left behind is nobody's.
    rm -rf "$folder".part.*
    work=$(mktemp -d "$folder.part.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    mkdir "$work/out"
    "$@"
    chmod 755 "$work/out"
    mv "$work/out" "$folder"
  fi
  echo "$folder"
}

# bookworm COMMAND... runs apt-get on the packages of Debian 12 in $work: from the machine's own mirror where that is what
# it runs, else from the one in RUNBOOK_DEBIAN_MIRROR. Nothing is installed.
bookworm() {
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg mirrors=/etc/apt/sources.list.d/debian.sources
  need apt-get:apt "$keys:debian-archive-keyring" dpkg-source:dpkg-dev
  local apt=(apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/parts"
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=)
  if [[ ! -d $work/parts ]]; then
    mkdir -p "$work"/{lists,cache/archives}/partial "$work/parts"
    if [[ -f $mirrors ]] && grep -q '^VERSION_CODENAME=bookworm$' /etc/os-release; then
      sed 's/^Types: deb$/Types: deb deb-src/' "$mirrors" >"$work/parts/debian.sources"
    elif [[ -n ${RUNBOOK_DEBIAN_MIRROR-} ]]; then
      printf "%s [signed-by=$keys] $RUNBOOK_DEBIAN_MIRROR bookworm main\n" deb deb-src >"$work/parts/debian.list"
    else
      fail "this is not Debian 12: put the address of a Debian mirror into RUNBOOK_DEBIAN_MIRROR ($elsewhere)"
    fi
    "${apt[@]}" update >&2
  fi
  (cd "$work" && "${apt[@]}" "$@" >&2)
}
