#!/usr/bin/env bash
# A real Slurm of two nodes on this machine, from Debian's packages: trains through
# launch/slurm.sh, preempts, kills a process, and compares with a run that was left alone.
#
#   PYTHON=.venv/bin/python tests/clusters/slurm.sh
#
# Everything runs in its own network, process and mount namespaces: nothing listens outside and
# nothing is left. Skips, with status 0 and a reason, where it is not root on Debian.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHON=${PYTHON:-$(command -v python)}

if [ "${1-}" != inside ]; then
  skip() { echo "skipped: slurm: $1"; exit 0; }
  [ "$(id -u)" = 0 ] || skip "needs root"
  command -v apt-get > /dev/null || skip "needs Debian's packages"
  if ! command -v slurmctld > /dev/null || ! command -v ip > /dev/null; then
    install() {
      timeout 200 apt-get install -y -qq --no-install-recommends slurm-wlm slurm-client munge iproute2 &> /dev/null
    }
    install || { timeout 100 apt-get update -qq &> /dev/null && install; } \
      || skip "apt-get could not install slurm-wlm"
  fi
  unshare -m -n -p -f --mount-proc true 2> /dev/null || skip "no namespaces here"
  exec timeout -k 5 "${LIMIT:-400}" \
    unshare -m -n -p -f --kill-child --mount-proc "$0" inside
fi

S=$(mktemp -d)
trap 'rm -rf "$S"' EXIT
host=$(hostname -s)
ip link set lo up
ip addr add 10.99.0.1/32 dev lo   # without an address of its own the resolver ignores the hosts
printf '127.0.0.1 localhost %s n1 n2\n' "$host" > "$S/hosts"
mount --bind "$S/hosts" /etc/hosts
cat > "$S/slurm.conf" << CONF
ClusterName=ci
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
StateSaveLocation=$S/state
SlurmdSpoolDir=$S/spool.%n
SlurmctldPidFile=$S/ctld.pid
SlurmdPidFile=$S/slurmd.%n.pid
SlurmctldLogFile=$S/ctld.log
SlurmdLogFile=$S/slurmd.%n.log
SlurmctldPort=16817
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
ReturnToService=2
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
KillWait=5
JobRequeue=1
SlurmdParameters=config_overrides
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[16818-16819] CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$S/slurm.conf
mkdir -p "$S"/{state,spool.n1,spool.n2,work,munge} /run/munge
mount --bind "$S/munge" /run/munge   # of this mount namespace alone
chown munge "$S/munge"
chmod 755 "$S" "$S/munge"
setpriv --reuid munge --regid munge --clear-groups munged -F &> /dev/null &
sleep 1
slurmctld -D &> /dev/null & sleep 1
slurmd -D -N n1 &> /dev/null & slurmd -D -N n2 &> /dev/null &

until_true() {   # SECONDS WHAT COMMAND...
  local limit=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    if [ $SECONDS -gt $limit ]; then
      echo "FAILED: waited in vain for $what"; squeue; tail -n 30 "$S"/work/*.out "$S/ctld.log"
      exit 1
    fi
    sleep 0.2
  done
}
idle() { [ "$(sinfo -h -t idle -o %D)" = 2 ]; }
state() { squeue -h -o %T -j "$job" 2> /dev/null || true; }
pending() { [ "$(state)" = PENDING ]; }
ended() { [ -z "$(state)" ] || [ "$(state)" = COMPLETED ]; }
reached() { grep -q "\"step\": $1, " "$S/work/run/metrics.jsonl" 2> /dev/null; }
go_on() {   # a requeued job would wait two minutes
  until_true 60 "the job to queue itself" pending
  # Not at once: in the second in which its last credential was revoked, a new one is refused too.
  scontrol update JobId="$job" StartTime=now+4
}

until_true 30 "two idle nodes" idle
cd "$S/work"
export PYTHONPATH=$root JAX_PLATFORMS=cpu
slow=$root/tests/slow.py
job=$(sbatch --parsable --nodes=2 --time=20 --mem=1000 "$root/launch/slurm.sh" "$slow" \
  --workdir run --no-progress --pause 0.01)
echo "job $job on two nodes"
until_true 90 "step 20" reached 20
echo "preempted: SIGTERM to its tasks"
scancel -s TERM "$job"
go_on
until_true 90 "step 110" reached 110
echo "one process killed"
pkill -KILL -o -f "^$PYTHON -u $slow"   # of this process namespace, the oldest
go_on
until_true 120 "the end" ended
cat slurm-*.out | grep -v Gloo
[ "$(grep -c 'queues itself again' slurm-*.out)" = 2 ]
grep -q 'everything is saved' slurm-*.out
grep -q '"processes": 2' run/config.json
"$PYTHON" "$slow" --workdir alone --pause 0 --no-progress > /dev/null
"$PYTHON" "$root/tests/clusters/same_run.py" run alone

echo "a sweep as an array"
printf -- '--seed %s\n' 1 2 > sweep.txt
sbatch --wait --array=1-2%2 --mem=1000 "$root/launch/slurm_array.sh" sweep.txt "$slow" --pause 0 --steps 9 \
  --no-progress > /dev/null
[ -f runs/sweep/1/summary.json ] && [ -f runs/sweep/2/summary.json ]
echo "slurm: passed"
