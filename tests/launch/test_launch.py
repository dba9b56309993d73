"""What the launchers would start, and that the manifests keep the contract that processes read."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest
import yaml

from dlcourse.training.engine import processes
from tests import ROOT

MLP = "experiments/foundations/mnist_mlp.py"


def launch(*args, cwd=ROOT, env=()):
    outside = {n: v for n, v in os.environ.items() if not n.startswith(("SLURM", "DLCOURSE"))}
    command = [str(ROOT / "launch" / args[0]), *args[1:]]
    if args[0].endswith(".py"):
        command.insert(0, sys.executable)
    return subprocess.run(
        command, cwd=cwd, env=outside | {"PYTHON": "python"} | dict(env), capture_output=True,
        text=True, timeout=60, check=False,
    )  # fmt: skip


def test_a_local_dry_run_prints_each_process():
    done = launch("local.py", "-n", "2", "--devices", "3", "--port", "1234", "--dry-run",
                  MLP, "--mesh", "data=6")  # fmt: skip
    assert done.returncode == 0
    for number, line in enumerate(done.stdout.splitlines()):
        assert f"{processes.COORDINATOR}=127.0.0.1:1234" in line
        assert f"{processes.NUM_PROCESSES}=2" in line
        assert f"{processes.PROCESS_ID}={number}" in line
        assert "JAX_NUM_CPU_DEVICES=3" in line
        assert line.endswith(f"{MLP} --mesh data=6")
    assert number == 1


@pytest.mark.parametrize(
    "args", [["-n", "0", MLP], ["-n", "2", "experiments/none.py"], [MLP]], ids=str
)
def test_a_wrong_launch_is_refused(args):
    assert launch("local.py", *args).returncode == 2


@pytest.mark.parametrize(
    ("script", "statuses", "expected"),
    [
        ("import sys, os; sys.exit(75 * int(os.environ['DLCOURSE_PROCESS_ID']))", "0 75", 75),
        ("import os; os._exit([2, 75][int(os.environ['DLCOURSE_PROCESS_ID'])])", "2 75", 2),
        ("import os; os.kill(os.getpid(), 9)", "-9 -9", 75),
        ("import time; time.sleep(100)", "-9 -9", 124),
    ],
)
def test_the_status_of_a_launch_is_that_of_its_processes(script, statuses, expected, tmp_path):
    (tmp_path / "x.py").write_text(script)
    done = launch("local.py", "-n", "2", "--limit", "3", "x.py", cwd=tmp_path)
    assert f"ended with {statuses}" in done.stdout
    assert done.returncode == expected


def test_a_launch_restarts_what_stopped(tmp_path):
    (tmp_path / "x.py").write_text(
        "import os, pathlib, sys\n"
        "f = pathlib.Path('times' + os.environ['DLCOURSE_PROCESS_ID'])\n"
        "f.write_text((f.read_text() if f.exists() else '') + 'x')\n"
        "sys.exit(75 if len(f.read_text()) < 3 else 0)\n"
    )
    assert launch("local.py", "-n", "2", "--restarts", "5", "x.py", cwd=tmp_path).returncode == 0
    assert (tmp_path / "times1").read_text() == "xxx"


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["slurm.sh", "--dry-run", MLP, "--workdir", "w"], ["--signal=TERM@120", "requeue", MLP]),
        (["mpi.sh", "--dry-run", "-n", "2", MLP], ["mpirun", "-n 2", "DLCOURSE_COORDINATOR=127"]),
        (
            ["tpu_vm.sh", "--dry-run", "tpu", "zone", MLP, "--workdir", "w"],
            ["tpu-vm ssh tpu", "--worker=all", "DLCOURSE_COORDINATOR=auto"],
        ),
    ],
    ids=lambda value: value[0],
)
def test_a_dry_run_prints_what_would_be_submitted(args, words):
    done = launch(*args)
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout


def test_a_sweep_is_one_run_per_line(tmp_path):
    (tmp_path / "rates.txt").write_text("--learning-rate 0.1\n--learning-rate 0.2\n")
    done = launch("slurm_array.sh", "--dry-run", "rates.txt", MLP, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        f"python {MLP} --learning-rate 0.1 --workdir runs/rates/1",
        f"python {MLP} --learning-rate 0.2 --workdir runs/rates/2",
    ]


SWEEP = (
    "--evaluate-every '2 epochs' --freeze \"Dense_0/(kernel|bias)\"\r\n"
    "--learning-rate 0.1 --freeze '$(touch made).*' "  # the last line without its newline
)


def task(number, folder):
    """Task `number` of an array, whose program prints its arguments."""
    program = folder / "program"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    return launch(
        "slurm_array.sh", "sweep.txt", MLP, "--seed", "3",
        cwd=folder, env={"PYTHON": str(program), "SLURM_ARRAY_TASK_ID": number},
    )  # fmt: skip


def test_a_task_of_a_sweep_gets_the_words_of_its_line(tmp_path):
    (tmp_path / "sweep.txt").write_bytes(SWEEP.encode())
    first, last = task("1", tmp_path), task("2", tmp_path)
    common = ["-u", MLP, "--seed", "3"]
    assert first.stdout.splitlines() == [
        *common, "--evaluate-every", "2 epochs", "--freeze", "Dense_0/(kernel|bias)",
        "--workdir", "runs/sweep/1",
    ]  # fmt: skip
    assert last.stdout.splitlines() == [
        *common, "--learning-rate", "0.1", "--freeze", "$(touch made).*",
        "--workdir", "runs/sweep/2",
    ]  # fmt: skip
    assert (first.returncode, last.returncode) == (0, 0)
    # A dry run prints the same words, quoted for a shell.
    described = launch("slurm_array.sh", "--dry-run", "sweep.txt", MLP, "--seed", "3", cwd=tmp_path)
    words = [shlex.split(line)[1:] for line in described.stdout.splitlines()]
    assert words == [done.stdout.splitlines()[1:] for done in (first, last)]
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("text", "number", "message"),
    [
        ("--seed 1\n--seed 2\n", "3", "Line 3 of sweep.txt is missing or empty"),
        ("--seed 1\n--seed 2\n", "0", "the file has the lines 1 to 2."),
        ("--seed 1\n \r\n--seed 3", "2", "the file has the lines 1 to 3."),
        ("", "1", "the file has the lines 1 to 0."),
        ("--freeze 'Dense\n", "1", "Line 1 of sweep.txt has a quote without its end"),
    ],
)
def test_a_task_without_a_line_of_its_own_trains_nothing(text, number, message, tmp_path):
    (tmp_path / "sweep.txt").write_bytes(text.encode())
    done = task(number, tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


@pytest.mark.parametrize("script", ["slurm.sh", "slurm_array.sh", "mpi.sh", "tpu_vm.sh"])
def test_a_script_without_arguments_prints_its_usage(script):
    done = launch(script)
    assert done.returncode == 2
    assert "launch/" in done.stderr


MANIFEST = ROOT / "launch" / "kubernetes.yaml"


def test_the_kubernetes_manifest_fits_the_schema():
    validate = pytest.importorskip("kubernetes_validate")
    for resource in yaml.safe_load_all(MANIFEST.read_text()):
        validate.validate(resource, validate.latest_version(), strict=True)
        resource["spec"]["replica"] = 2
        with pytest.raises(validate.ValidationError, match="replica"):
            validate.validate(resource, validate.latest_version(), strict=True)


def test_the_kubernetes_job_gives_each_pod_what_a_process_reads():
    service, job = yaml.safe_load_all(MANIFEST.read_text())
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    environment = {entry["name"]: entry for entry in container["env"]}
    name, count = job["metadata"]["name"], job["spec"]["completions"]
    assert environment.keys() == {
        processes.COORDINATOR, processes.NUM_PROCESSES, processes.PROCESS_ID,
    }  # fmt: skip
    # An Indexed Job calls its pods NAME-INDEX, and the Service puts them under its own name.
    host = environment[processes.COORDINATOR]["value"].partition(":")[0]
    assert host == f"{name}-0.{service['metadata']['name']}"
    assert pod["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["selector"] == {"job-name": name}
    assert service["spec"]["clusterIP"] == "None"
    assert environment[processes.NUM_PROCESSES]["value"] == str(count)
    assert job["spec"]["parallelism"] == count
    assert "job-completion-index" in str(environment[processes.PROCESS_ID])
    # What is started again must find its run.
    assert "--workdir" in container["command"]


@pytest.mark.long
@pytest.mark.timeout(150)
def test_pods_of_the_kubernetes_job_find_each_other(tmp_path):
    """Each on a loopback address of its own, under the name that the Service gives it."""
    namespaces = ["unshare", "-m", "-n", "-u", "-p", "-f", "--kill-child", "--mount-proc"]
    if shutil.which("ip") is None or subprocess.run([*namespaces, "true"], check=False).returncode:
        pytest.skip("this machine lets us make no namespaces")
    service, job = yaml.safe_load_all(MANIFEST.read_text())
    name, pods = job["metadata"]["name"], job["spec"]["completions"]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    program, *command = container["command"]
    assert program == "python"
    command = [sys.executable, *command, "--steps", "4", "--hidden", "8", "--no-progress"]
    hosts, script = ["127.0.0.1 localhost"], ["set -e", "ip link set lo up"]
    script.append("mount --bind hosts /etc/hosts")
    for index in range(pods):
        pod = f"{name}-{index}"
        hosts.append(f"127.0.0.{index + 2} {pod}.{service['metadata']['name']} {pod}")
        given = " ".join(f"{e['name']}={e.get('value', index)}" for e in container["env"])
        script.append(
            f"unshare -u sh -c 'hostname {pod}; exec env {given} {shlex.join(command)}' "
            f'> {pod}.log 2>&1 & pids="$pids $!"'
        )
    script.append("for pid in $pids; do wait $pid; done")
    (tmp_path / "hosts").write_text("\n".join(hosts) + "\n")
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    environment = {n: v for n, v in os.environ.items() if not n.startswith("DLCOURSE")}
    done = subprocess.run(
        [*namespaces, "bash", "-c", "\n".join(script)], cwd=tmp_path, timeout=120, check=False,
        env=environment | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    )  # fmt: skip
    logs = {log.name: log.read_text() for log in tmp_path.glob("*.log")}
    assert done.returncode == 0, logs
    written = json.loads((tmp_path / "runs" / "kubernetes" / "config.json").read_text())
    assert written["devices"]["processes"] == pods
    assert (tmp_path / "runs" / "kubernetes" / "summary.json").exists(), logs
