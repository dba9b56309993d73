#!/usr/bin/env bash
# Trains one experiment on every host of a Cloud TPU slice. Needs gcloud, and the repository and
# its environment in ~/dlcourse on each host.
#
#   launch/tpu_vm.sh my-slice us-central2-b experiments/foundations/mnist_mlp.py --workdir gs-mount/run
#   launch/tpu_vm.sh --dry-run my-slice us-central2-b experiments/foundations/mnist_mlp.py --workdir gs-mount/run
#
# JAX finds the hosts of the slice in the TPU's own metadata. The run folder must lie where all
# hosts see it. A preempted slice is started anew by whoever made it (a queued resource, say); the
# same command then goes on.
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
