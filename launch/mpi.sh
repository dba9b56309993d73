#!/usr/bin/env bash
# Runs one experiment under mpirun (Open MPI), on this machine or on the hosts of a file.
#
#   launch/mpi.sh -n 2 experiments/foundations/mnist_mlp.py --workdir runs/mpi --epochs 20
#   launch/mpi.sh -n 16 --hostfile hosts experiments/foundations/mnist_mlp.py --workdir runs/mpi
#   launch/mpi.sh --dry-run -n 2 experiments/foundations/mnist_mlp.py
#
# MPI only starts and numbers the processes. Process 0 runs on this machine, and the others connect
# to it at COORDINATOR (HOST:PORT; by default the name of this machine and a port derived from the
# process id). MPIRUN_OPTIONS goes to mpirun. When a process dies, mpirun ends the others with a
# status other than 0, and the same command resumes the run.
dry=
if [ "$1" = --dry-run ]; then dry=echo; shift; fi
options=()
while [ $# -gt 0 ]; do
  case $1 in
    -n) number=$2; shift 2 ;;
    --hostfile) options+=(--hostfile "$2"); shift 2 ;;
    *) break ;;
  esac
done
if [ -z "$number" ] || [ $# -eq 0 ]; then
  echo "Usage: launch/mpi.sh [--dry-run] -n N [--hostfile FILE] EXPERIMENT.py [options]" >&2
  exit 2
fi
host=127.0.0.1
[ ${#options[@]} -gt 0 ] && host=$(hostname)
coordinator=${COORDINATOR:-$host:$((20000 + $$ % 10000))}
# shellcheck disable=SC2086
$dry mpirun ${MPIRUN_OPTIONS-} "${options[@]}" -n "$number" -x "DLCOURSE_COORDINATOR=$coordinator" \
  "${PYTHON:-python}" -u "$@"
