#!/usr/bin/env bash
# Runs one experiment on every host of a Cloud TPU slice. It needs gcloud, and the repository with
# its environment in ~/dlcourse on each host.
#
#   launch/tpu_vm.sh my-slice us-central2-b experiments/foundations/mnist_mlp.py --workdir gs-mount/run
#   launch/tpu_vm.sh --dry-run my-slice us-central2-b experiments/foundations/mnist_mlp.py --workdir gs-mount/run
#
# JAX finds the hosts of the slice in the metadata of the TPU. The run folder must be on a file
# system shared by all hosts. After a preemption, create the slice again, for example by a queued
# resource; the same command then resumes the run.
dry=
if [ "$1" = --dry-run ]; then dry=1; shift; fi
if [ $# -lt 3 ]; then
  echo "Usage: launch/tpu_vm.sh [--dry-run] TPU ZONE EXPERIMENT.py [options]" >&2
  exit 2
fi
tpu=$1 zone=$2
shift 2
remote="cd dlcourse && DLCOURSE_COORDINATOR=auto .venv/bin/python -u $(printf '%q ' "$@")"
command=(gcloud compute tpus tpu-vm ssh "$tpu" --zone "$zone" --worker=all --command "$remote")
if [ -n "$dry" ]; then
  printf '%q ' "${command[@]}"; echo
else
  "${command[@]}"
fi
