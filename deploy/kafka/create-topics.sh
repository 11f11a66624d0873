#!/bin/sh
# Creates the input topic and the output topics of a stream, where they are not there yet.
# Needs the broker's own scripts in KAFKA_BIN; names and servers are latentwatch's settings.
set -eu

servers=${LATENTWATCH_KAFKA__BOOTSTRAP_SERVERS:-localhost:9092}
topic=${LATENTWATCH_TOPIC:?names the topic to watch}
partitions=${TOPIC_PARTITIONS:-4}
deadline=$(($(date +%s) + 60))

create() {
  # A broker that has just started takes connections a moment before it can hold partitions.
  until "${KAFKA_BIN:-/opt/kafka/bin}/kafka-topics.sh" --bootstrap-server "$servers" \
      --create --if-not-exists --topic "$1" --partitions "$2"; do
    [ "$(date +%s)" -lt "$deadline" ] || { echo "no topic $1 could be created at $servers" >&2; exit 1; }
    sleep 1
  done
}

create "$topic" "$partitions"
create "${LATENTWATCH_OUTPUT__TOPIC:-$topic.anomalies}" "$partitions"
create "${LATENTWATCH_OUTPUT__DEAD_LETTER_TOPIC:-$topic.dlq}" 1
create "${LATENTWATCH_OUTPUT__SCORES_TOPIC:-$topic.scores}" "$partitions"
