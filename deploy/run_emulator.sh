#!/bin/sh
# Starts what stands in for the outside world: the providers and services in the sandbox, on loopback and without Docker; with
# --kafka also a broker in Docker and its topics, at localhost:9093. Ctrl-C ends the sandbox; --dry-run only says what it would do.
set -eu

folder=$(cd "$(dirname "$0")" && pwd)
port=8790
topic=${KAFKA_TOPIC:-orchestrator-events}
with_kafka=no
run=

while [ $# -gt 0 ]; do
    case $1 in
        --kafka) with_kafka=yes ;;
        --dry-run) run='echo would run:' ;;
        --port) shift; port=${1:?--port needs a number} ;;
        *) echo "usage: $0 [--kafka] [--port 8790] [--dry-run]" >&2; exit 2 ;;
    esac
    shift
done

compose() {
    # The broker needs no password of the database, which the file insists on.
    $run env POSTGRES_PASSWORD="${POSTGRES_PASSWORD:-unused}" docker compose -f "$folder/compose.yaml" --profile kafka "$@"
}

if [ "$with_kafka" = yes ]; then
    if [ -z "$run" ] && ! command -v docker >/dev/null; then
        echo "Kafka needs Docker; without --kafka the sandbox alone starts." >&2
        exit 1
    fi
    compose pull --quiet kafka
    compose up --detach --wait kafka
    for name in "$topic" "$topic.dlq"; do
        compose exec -T kafka /opt/kafka/bin/kafka-topics.sh --bootstrap-server localhost:9092 --create --if-not-exists --topic "$name"
    done
    echo "Kafka: USE_KAFKA=True KAFKA_BOOTSTRAP_SERVERS=localhost:9093 KAFKA_TOPIC=$topic"
fi

salescience=$(command -v salescience || echo "$(dirname "$folder")/.venv/bin/salescience")
echo "Sandbox: SALESCIENCE_SANDBOX_URL=http://127.0.0.1:$port"
$run exec "$salescience" sandbox --port "$port"
