"""Shards as tasks of Ray, joined to one run: condense.py --shards 8 FOLDER -- ARGUMENTS...

ARGUMENTS are those of a run of dm-wgpu without --out. FOLDER lies on a file system that all nodes see. A task whose worker
or node is lost is repeated elsewhere, and resumes its shard from the last checkpoint, to the same bits. --gpus 1 reserves
a GPU per shard. Needs Linux and `pip install ray`; joins the cluster that RAY_ADDRESS names, else starts one here.
"""

import argparse
import ctypes
import os
import signal
import subprocess

import ray


def dies_with_worker():
    """If Ray's worker is killed, a program that lives on would keep the shard's folder locked."""
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def shard(program, number, of, folder, arguments):
    out = os.path.join(folder, f"shard-{number}")
    command = [program, *arguments, "--shard", f"{number}/{of}", "--out", out]
    if os.path.exists(os.path.join(out, "run.toml")):
        command = [program, "--resume", out]
    subprocess.run(command, check=True, preexec_fn=dies_with_worker)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--gpus", type=float, default=0, help="GPUs per shard")
    parser.add_argument("--cpus", type=float, default=1, help="CPU cores per shard")
    parser.add_argument("--retries", type=int, default=10, help="how often a shard that fails is repeated")
    parser.add_argument("--evaluate", action="store_true", help="measure the accuracy of the joined run")
    parser.add_argument("--program", default="dm-wgpu", help="where it is on the nodes")
    parser.add_argument("folder")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    arguments = asked.arguments[1:] if asked.arguments[:1] == ["--"] else asked.arguments
    folder = os.path.abspath(asked.folder)
    os.makedirs(folder, exist_ok=True)

    ray.init(log_to_driver=True)
    resources = {"num_cpus": asked.cpus, "num_gpus": asked.gpus}
    # A lost worker is repeated without being asked for; a program that fails is repeated because of the last option.
    task = ray.remote(max_retries=asked.retries, retry_exceptions=True, **resources)(shard)
    numbers = range(1, asked.shards + 1)
    tasks = [task.remote(asked.program, number, asked.shards, folder, arguments) for number in numbers]
    folders = ray.get(tasks)
    join = [asked.program, "join", os.path.join(folder, "joined"), *folders]
    subprocess.run(join + (["--evaluate"] if asked.evaluate else []), check=True)


if __name__ == "__main__":
    main()
