#!/usr/bin/env bash
# Trains through launch/mpi.sh under a real mpirun, and compares with one process.
#
#   PYTHON=.venv/bin/python tests/clusters/mpi.sh
#
# In a network of its own, since mpirun listens everywhere. Skips, with status 0 and a reason,
# where it is not root on Debian.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHON=${PYTHON:-$(command -v python)}

if [ "${1-}" != inside ]; then
  skip() { echo "skipped: mpi: $1"; exit 0; }
  [ "$(id -u)" = 0 ] || skip "needs root"
  command -v apt-get > /dev/null || skip "needs Debian's packages"
  if ! command -v mpirun > /dev/null || ! command -v ip > /dev/null; then
    install() {
      timeout 200 apt-get install -y -qq --no-install-recommends openmpi-bin iproute2 &> /dev/null
    }
    install || { timeout 100 apt-get update -qq &> /dev/null && install; } \
      || skip "apt-get could not install openmpi-bin"
  fi
  unshare -n -p -f --mount-proc true 2> /dev/null || skip "no namespaces here"
  exec timeout -k 5 "${LIMIT:-200}" unshare -n -p -f --kill-child --mount-proc "$0" inside
fi

ip link set lo up
S=$(mktemp -d)
trap 'rm -rf "$S"' EXIT
cd "$S"
export PYTHONPATH=$root JAX_PLATFORMS=cpu MPIRUN_OPTIONS="--allow-run-as-root --oversubscribe"
"$root/launch/mpi.sh" -n 2 "$root/tests/slow.py" --workdir run --pause 0 --no-progress
grep -q '"processes": 2' run/config.json
"$PYTHON" "$root/tests/slow.py" --workdir alone --pause 0 --no-progress > /dev/null
"$PYTHON" "$root/tests/clusters/same_run.py" run alone
echo "mpi: passed"
