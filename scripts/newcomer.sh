#!/usr/bin/env bash
# A newcomer's path, timed: from a clone to a guarded private endpoint that doctor and validate call well.
#     scripts/newcomer.sh [repository, default: this one]
# The endpoint is the demonstration one on a loopback address, on its own, as a private endpoint would be. What a person
# reads and clicks (Hugging Face's page, AWS's minutes to make an interface endpoint) is not in the figures.
set -euo pipefail
repository=${1:-$(cd "$(dirname "$0")/.." && pwd)}
python=${PYTHON:-python3}
folder=$(mktemp -d)
running=()
trap 'for pid in "${running[@]}"; do kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; done; rm -rf "$folder"' EXIT

began=$(date +%s.%N)
last=$began
step() {
  local now
  now=$(date +%s.%N)
  awk -v a="$last" -v b="$now" -v t="$began" -v w="$1" 'BEGIN { printf "%-44s %6.1f s  (%6.1f s)\n", w, b - a, b - t }'
  last=$now
}
until_ready() { for _ in $(seq 600); do curl -sf "$1" >/dev/null && return; sleep 0.2; done; echo "$1 does not answer" >&2; exit 1; }
port() { "$python" -c 'import random; print(random.randrange(20000, 32000, 40))'; }

git clone --quiet "$repository" "$folder/akto-agent-proxy"
cd "$folder/akto-agent-proxy"
step "git clone"
"$python" -m venv .venv
.venv/bin/pip install --quiet --disable-pip-version-check '.[server]' 2>"$folder/pip.txt" || { cat "$folder/pip.txt" >&2; exit 1; }
export PATH="$folder/akto-agent-proxy/.venv/bin:$PATH" DATA_DIR="$folder/data" HOME="$folder"
step "install"

p=$(port)
export AKTO_PROXY_PORT=$p SERVER_PORT=$((p + 1)) ADMIN_PORT=$((p + 2))
python -c "from akto_proxy.demo.server import serve_demo; serve_demo('127.0.0.1', $((p + 3)))" 2>"$folder/endpoint.txt" &
running+=($!)
until_ready "http://127.0.0.1:$((p + 3))/health"
step "(the private endpoint of this trial starts)"

export APP_URL=http://127.0.0.1:$((p + 3)) LOG_LEVEL=INFO
akto-proxy up 2>"$folder/proxy.txt" &
running+=($!)
until_ready "http://127.0.0.1:$p/readyz"
until_ready "http://127.0.0.1:$((p + 1))/health"
step "akto-proxy up, until it serves"
akto-proxy doctor --private >"$folder/doctor.txt" || { cat "$folder/doctor.txt" "$folder/proxy.txt" >&2; exit 1; }
step "akto-proxy doctor --private: all well"
akto-proxy validate >"$folder/validate.txt" || { cat "$folder/validate.txt" >&2; exit 1; }
step "akto-proxy validate: six steps pass"
