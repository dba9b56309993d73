#!/usr/bin/env bash
# Runs a sweep as a Slurm array: each line of a file holds the options of one run.
#
#   printf -- '--learning-rate %s\n' 1e-4 1e-3 1e-2 > sweep.txt
#   sbatch --array=1-3%2 launch/slurm_array.sh sweep.txt experiments/foundations/mnist_mlp.py --epochs 20
#   launch/slurm_array.sh --dry-run sweep.txt experiments/foundations/mnist_mlp.py --epochs 20
#
# Run k is in runs/<name of the file>/k. A stopped or preempted run requeues itself.
#SBATCH --ntasks=1
#SBATCH --mem=4G
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:TERM@120
#SBATCH --output=slurm-%A-%a.out

python=${PYTHON:-python}
dry=
if [ "$1" = --dry-run ]; then dry=1; shift; fi
if [ ! -f "$1" ] || [ $# -lt 2 ]; then
  echo "Usage: sbatch --array=1-N launch/slurm_array.sh SWEEP.txt EXPERIMENT.py [options]" >&2
  exit 2
fi
sweep=$1; shift
folder=runs/$(basename "${sweep%.*}")
if [ -n "$dry" ]; then
  number=0
  while read -r line; do
    number=$((number + 1))
    echo "$python $* $line --workdir $folder/$number"
  done < "$sweep"
  exit 0
fi
if [ -z "$SLURM_ARRAY_TASK_ID" ]; then
  echo "Not in a job of an array: sbatch --array=1-$(wc -l < "$sweep") $0 $sweep $*" >&2
  exit 2
fi
options=$(sed -n "${SLURM_ARRAY_TASK_ID}p" "$sweep")
# shellcheck disable=SC2086  # a line holds several words
"$python" -u "$@" $options --workdir "$folder/$SLURM_ARRAY_TASK_ID" &
run=$!
trap 'kill -TERM $run' TERM
wait $run
status=$?
while [ $status -gt 128 ] && kill -0 $run 2>/dev/null; do wait $run; status=$?; done
if [ $status = 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit $status
