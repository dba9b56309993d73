#!/usr/bin/env bash
# Runs one experiment on the nodes of a Slurm job. In the folder of the repository:
#
#   sbatch --nodes=2 launch/slurm.sh experiments/foundations/mnist_mlp.py --workdir runs/big --epochs 20
#   launch/slurm.sh --dry-run experiments/foundations/mnist_mlp.py --workdir runs/big     prints, submits nothing
#
# There is one task per node, which uses all GPUs of the node (add --gpus-per-node=8
# --cpus-per-task=32 to sbatch). The processes find each other through srun. Before its time limit,
# or when it is preempted, the job gets SIGTERM: all processes save the same step and exit with 75,
# and the job requeues itself. It also requeues itself when a process or a node dies. --workdir must
# be on a file system shared by all nodes, so that the next start finds the run. PYTHON is the
# interpreter.
#SBATCH --ntasks-per-node=1
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=TERM@120
#SBATCH --output=slurm-%j.out

restarts=${DLCOURSE_RESTARTS:-20}
python=${PYTHON:-python}

if [ "$1" = --dry-run ]; then
  shift
  echo "sbatch: $(sed -n 's/^#SBATCH //p' "$0" | tr '\n' ' ')"
  echo "each task: srun --kill-on-bad-exit=0 --label env DLCOURSE_COORDINATOR=auto $python -u $*"
  echo "on status 75, 134 or 137, up to $restarts times: scontrol requeue JOB"
  exit 0
fi
if [ -z "$SLURM_JOB_ID" ]; then
  echo "Not in a Slurm job. Submit it: sbatch --nodes=2 $0 $*" >&2
  exit 2
fi
case " $* " in
  *" --workdir"*) ;;
  *) echo "Give --workdir FOLDER, so that the requeued job finds its run." >&2; exit 2 ;;
esac

# By default, JAX uses one GPU per task: the one with the task's number on the node.
if [ "${SLURM_GPUS_ON_NODE:-0}" -gt 1 ] && [ "${SLURM_NTASKS_PER_NODE:-1}" = 1 ]; then
  JAX_LOCAL_DEVICE_IDS=$(seq -s, 0 $((SLURM_GPUS_ON_NODE - 1)))
  export JAX_LOCAL_DEVICE_IDS
fi
export DLCOURSE_COORDINATOR=auto
# When a process dies, the others notice it and exit with 75.
srun --kill-on-bad-exit=0 --label "$python" -u "$@" &
step=$!
# Slurm may also signal this script; the tasks get the signal themselves.
trap : TERM
wait $step
status=$?
while [ $status -gt 128 ] && kill -0 $step 2>/dev/null; do wait $step; status=$?; done

case $status in
  75 | 134 | 137)
    if [ "${SLURM_RESTART_COUNT:-0}" -lt "$restarts" ]; then
      echo "Status $status after restart ${SLURM_RESTART_COUNT:-0}: the job queues itself again."
      scontrol requeue "$SLURM_JOB_ID"
    fi ;;
esac
exit $status
