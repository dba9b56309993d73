#!/usr/bin/env bash
# Runs a sweep as a Slurm array: each line of a file holds the options of one run.
#
#   printf -- '--learning-rate %s\n' 1e-4 1e-3 1e-2 > sweep.txt
#   sbatch --array=1-3%2 launch/slurm_array.sh sweep.txt experiments/foundations/mnist_mlp.py --epochs 20
#   launch/slurm_array.sh --dry-run sweep.txt experiments/foundations/mnist_mlp.py --epochs 20
#
# Run k is in runs/<name of the file>/k. A stopped or preempted run requeues itself. An option with
# spaces is quoted in the file as in a shell: --evaluate-every '2 epochs'. Nothing is expanded.
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
lines=$(grep -c '' "$sweep")  # also a last line without its newline

# Reads the words of one line into the array `options`; a wrong line ends the task.
read_options() {
  local line words
  line=$(sed -n "${1}p" "$sweep" 2>/dev/null | tr -d '\r')
  if [ -z "${line//[[:space:]]/}" ]; then
    echo "Line $1 of $sweep is missing or empty; the file has the lines 1 to $lines." >&2
    exit 2
  fi
  # xargs takes quotes away as a shell does, and runs nothing that stands in the line.
  if ! words=$(printf '%s\n' "$line" | xargs printf '%s\n' 2>/dev/null); then
    echo "Line $1 of $sweep has a quote without its end: $line" >&2
    exit 2
  fi
  mapfile -t options <<< "$words"
}

if [ -n "$dry" ]; then
  for number in $(seq "$lines"); do
    read_options "$number"
    printf '%q ' "$python" "$@" "${options[@]}"
    printf -- '--workdir %q\n' "$folder/$number"
  done
  exit 0
fi
if [ -z "$SLURM_ARRAY_TASK_ID" ]; then
  echo "Not in a job of an array: sbatch --array=1-$lines $0 $sweep $*" >&2
  exit 2
fi
read_options "$SLURM_ARRAY_TASK_ID"
"$python" -u "$@" "${options[@]}" --workdir "$folder/$SLURM_ARRAY_TASK_ID" &
run=$!
trap 'kill -TERM $run' TERM
wait $run
status=$?
while [ $status -gt 128 ] && kill -0 $run 2>/dev/null; do wait $run; status=$?; done
if [ $status = 75 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt 20 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"
fi
exit $status
