"""What a sweep on Ray costs beside the same sweep in this process: a node with one CPU on this machine, 1,000 short runs.

python scripts/measure_ray.py        with the package and Ray installed; prints one line per way and repetition, then medians
"""

import pathlib
import statistics
import sys
import tempfile
import time

import ray
import scalelab
from ray.cluster_utils import Cluster

ROOT = pathlib.Path(__file__).resolve().parents[1]
OVER = {"policies.static.static.replicas": list(range(6, 16)), "traffic.scale": [f"{share}%" for share in range(10, 110, 10)]}
REPETITIONS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
scenario = scalelab.load(ROOT / "scenarios" / "theory" / "mm8").set("run.duration", "20m")
question = {"policies": ["static"], "replications": 10}

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80 << 20})
ray.init(address=cluster.address, log_to_driver=False)


@ray.remote(num_cpus=1)
def nothing():
    return 0


ray.get(nothing.remote())
ways = {"local, 1 thread": None, "ray, 4 tasks of 250": 250, "ray, 10 tasks of 100": 100, "ray, 100 tasks of 10": 10}
seconds = {way: [] for way in [*ways, "ray, 100 tasks that do nothing"]}
for _ in range(REPETITIONS):
    for way, runs_per_task in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            begun = time.perf_counter()
            engine = {"jobs": 1} if runs_per_task is None else {"engine": "ray", "runs_per_task": runs_per_task}
            table = scalelab.sweep(scenario, OVER, **question, folder=pathlib.Path(folder) / "sweep", **engine)
            seconds[way].append(time.perf_counter() - begun)
            assert len(table) == 1_000
    begun = time.perf_counter()
    ray.get([nothing.remote() for _ in range(100)])
    seconds["ray, 100 tasks that do nothing"].append(time.perf_counter() - begun)
for way, found in seconds.items():
    print(f"{way:32} median {statistics.median(found):7.3f} s   ({', '.join(f'{one:.3f}' for one in found)})")
ray.shutdown()
cluster.shutdown()
