#!/bin/sh
# Starts and stops MiniStack, an AWS emulator, on 127.0.0.1:$DEPLOY_PORT: `emulator.sh start`, `emulator.sh stop`.
# `emulator.sh running` succeeds if it runs; `emulator.sh port` prints a free port. Its log and its data are in
# $DEPLOY_DATA.
set -eu
cd "$(dirname "$0")/../.."
: "${DEPLOY_PORT:=4566}" "${DEPLOY_DATA:=.local/deploy}"
python=${TOOLS:-.local/tools}/ministack/bin/python
pid_file=$DEPLOY_DATA/emulator.pid

fail() {
    echo "$1" >&2
    exit 1
}

# Prints the emulator's process id if it runs. After a kill, the file may have an id that another program has now.
running_pid() {
    pid=$(cat "$pid_file" 2>/dev/null || true)
    if [ -n "$pid" ] && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q ministack; then echo "$pid"; fi
}

# Succeeds if a program listens on the port.
taken() {
    $python - "$DEPLOY_PORT" <<'PYTHON'
import socket, sys
with socket.socket() as probe:
    sys.exit(probe.connect_ex(("127.0.0.1", int(sys.argv[1]))))
PYTHON
}

# Prints a port on which no program listens.
port() {
    $python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

start() {
    [ -z "$(running_pid)" ] || fail "The emulator of $DEPLOY_DATA is running already: end it with \`make undeploy-local\`."
    ! taken || fail "Port $DEPLOY_PORT is taken: end the program that uses it, or choose another port with DEPLOY_PORT=."
    data=$(pwd)/$DEPLOY_DATA/emulator
    rm -rf "$data"
    mkdir -p "$data"
    # The functions inherit the emulator's environment. AWS_ENDPOINT_URL keeps them from calling the real AWS, and
    # WEBHOOK_LOOPBACK allows webhooks to this machine, which the template can't. With AUTH each function has only the
    # rights of its role. The emulator runs in its own session, so that `stop` ends it with all its processes.
    GATEWAY_PORT=$DEPLOY_PORT BIND_HOST=127.0.0.1 AWS_ENDPOINT_URL=http://127.0.0.1:$DEPLOY_PORT AUTH=true \
        WEBHOOK_LOOPBACK=true \
        IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 STATE_DIR=$data S3_DATA_DIR=$data/s3 TMPDIR=$data \
        setsid $python -m ministack >"$DEPLOY_DATA/emulator.log" 2>&1 </dev/null &
    echo $! >"$pid_file"
    tries=300
    until $python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$DEPLOY_PORT/_ministack/health')" 2>/dev/null; do
        [ -n "$(running_pid)" ] || fail "The emulator ended at once: $(tail -n 1 "$DEPLOY_DATA/emulator.log")"
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || fail "The emulator does not answer; see $DEPLOY_DATA/emulator.log."
        sleep 0.1
    done
}

# Ends the emulator and all processes of its session.
stop() {
    pid=$(running_pid)
    rm -f "$pid_file"
    [ -n "$pid" ] || return 0
    kill "$pid" 2>/dev/null || true
    tries=100
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || break
        sleep 0.1
    done
    pkill -KILL --session "$pid" 2>/dev/null || true
}

case ${1:-} in
start) start ;;
stop) stop ;;
running) [ -n "$(running_pid)" ] ;;
port) port ;;
*) fail "Usage: emulator.sh start | stop | running | port" ;;
esac
