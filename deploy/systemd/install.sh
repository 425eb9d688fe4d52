#!/bin/sh
# Installs the program under /opt/akto-proxy and the units: sh install.sh up|proxy|server (as root, from anywhere).
set -eu
form=${1:?usage: sh install.sh up, proxy or server}
case "$form" in up | proxy | server) ;; *) echo "usage: sh install.sh up, proxy or server" >&2; exit 2 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
root=${ROOT:-}
python3 -m venv "$root/opt/akto-proxy"
"$root/opt/akto-proxy/bin/pip" install --quiet "$here/../..[server]"
install -D -m 0644 "$here/akto-proxy@.service" "$root/etc/systemd/system/akto-proxy@.service"
if [ ! -e "$root/etc/akto-proxy/$form.env" ]; then
  install -D -m 0600 "$here/example.env" "$root/etc/akto-proxy/$form.env"
fi
echo "edit $root/etc/akto-proxy/$form.env, then: systemctl enable --now akto-proxy@$form" >&2
