#!/usr/bin/env bash
# The real servers that tests run against, installed where this machine lets us: Debian, root, a mirror that answers.
# Nothing fails here. What is missing afterwards is named, the tests that need it skip, and their summary says so.
set -u

# program -> Debian package
declare -A wanted=(
  [redis-server]=redis-server   # limits shared between machines
  [initdb]=postgresql           # users, tokens, policy versions
  [ip]=iproute2                 # the private network of the guide
  [chromium]=chromium           # the pages in a browser
)

present() { command -v "$1" >/dev/null || compgen -G "/usr/lib/postgresql/*/bin/$1" >/dev/null || [ -x "/usr/sbin/$1" ]; }
missing() { for program in "${!wanted[@]}"; do present "$program" || echo "${wanted[$program]}"; done; }

packages=$(missing)
[ -z "$packages" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "services: not root on Debian, so not installed:" $packages
  exit 0
fi

# A test starts its own server on a port of its own: keep the packages from starting theirs while they are installed.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
  printf '#!/bin/sh\nexit 101\n' >$policy && chmod 755 $policy
  trap 'rm -f $policy' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt=(timeout 300 apt-get -qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20)
"${apt[@]}" update >/dev/null 2>&1 || echo "services: the package lists cannot be refreshed"
for package in $packages; do  # one by one, so that one that is not there keeps no other away
  "${apt[@]}" install -y --no-install-recommends "$package" >/dev/null 2>&1 || true
done
left=$(missing)
[ -z "$left" ] || echo "services: could not be installed:" $left
exit 0
