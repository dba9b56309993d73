#!/usr/bin/env bash
# Trains one experiment on the nodes of a Slurm job. From the folder of the repository:
#
#   sbatch --nodes=2 launch/slurm.sh experiments/foundations/mnist_mlp.py --workdir runs/big --epochs 20
#   launch/slurm.sh --dry-run experiments/foundations/mnist_mlp.py --workdir runs/big     prints, submits nothing
#
# One task a node, which takes all GPUs of its node (add --gpus-per-node=8 --cpus-per-task=32 to
# sbatch). The processes find each other through srun. Before its time is over, or when it is
# preempted, the job gets SIGTERM: all processes save the same step and exit with 75, and the job
# queues itself again; likewise when a process or a node dies. Give --workdir on a disk that all
# nodes share, so that the next start finds the run. PYTHON names the interpreter.
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
  echo "This is no Slurm job. Submit it: sbatch --nodes=2 $0 $*" >&2
  exit 2
fi
case " $* " in
  *" --workdir"*) ;;
  *) echo "Give --workdir FOLDER: a job that queues itself again must find its run." >&2; exit 2 ;;
esac

# JAX would take one GPU a task, the one of the task's number on its node.
if [ "${SLURM_GPUS_ON_NODE:-0}" -gt 1 ] && [ "${SLURM_NTASKS_PER_NODE:-1}" = 1 ]; then
  JAX_LOCAL_DEVICE_IDS=$(seq -s, 0 $((SLURM_GPUS_ON_NODE - 1)))
  export JAX_LOCAL_DEVICE_IDS
fi
export DLCOURSE_COORDINATOR=auto
# A process that dies is noticed by the others, which leave with 75 by themselves.
srun --kill-on-bad-exit=0 --label "$python" -u "$@" &
step=$!
# Slurm may signal this script too; the tasks have the signal already.
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
