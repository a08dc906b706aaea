# Starts the proxy with the configuration that fits the keys at hand. It has no access without a key of its own.
set -eu
export LITELLM_MASTER_KEY="${LITELLM_MASTER_KEY:-$(cat /run/secrets/litellm_api_key)}"
python configure.py config.yaml >/tmp/config.yaml
exec litellm --config /tmp/config.yaml --host 0.0.0.0 --port 4000
