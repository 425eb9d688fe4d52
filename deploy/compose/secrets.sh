#!/bin/sh
# Writes .env beside this file, with fresh secrets and the endpoint to guard: sh secrets.sh https://<endpoint>
# It never writes over one that is there: new passwords would lock the databases out.
set -eu
folder=$(dirname "$0")
if [ -e "$folder/.env" ]; then echo "$folder/.env is there already; edit it, or remove it for new secrets" >&2; exit 1; fi
if [ $# -ne 1 ]; then echo "usage: sh secrets.sh https://<id>.<region>.aws.endpoints.huggingface.cloud" >&2; exit 2; fi
umask 077
{
  echo "APP_URL=$1"
  echo "DEPLOYMENT_KEY=$(openssl rand -base64 32)"
  for name in CLICKHOUSE POSTGRES REDIS; do echo "${name}_PASSWORD=$(openssl rand -hex 24)"; done
} > "$folder/.env"
echo "wrote $folder/.env" >&2
