"""The KubeRay manifest of a search: a ConfigMap with its file, and a RayJob that runs it on a cluster of its own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from string import Template

import tuner
from tuner.cluster.job import RESULTS_KEY, SEARCH_KEY
from tuner.cluster.submission import command_line
from tuner.facts.errors import UsageError
from tuner.space.package import Package
from tuner.space.searchfile import Resources, SearchFile

#: What the manifest names as its image where none is given: a place that people fill in.
IMAGE = f"registry.example.com/tuner:{tuner.__version__}"

#: Where the pods find the search file.
FOLDER = Path("/etc/tuner")

_GPU = "nvidia.com/gpu"
_LONGEST_NAME = 47  # KubeRay appends what tells retries and pods apart
_CPUS = 4  # of a worker without GPUs, where a trial needs no more
_MOST_WORKERS = 4  # where the search file sets no max_concurrent
_MEMORY_PER_TRIAL = 4  # GiB: a process with PyTorch and CUDA, and its share of the decoded images
_MEMORY_OF_RAY = 4  # GiB of each worker

_MANIFEST = Template(
    """\
# kubectl apply -f FILE: KubeRay (1.5.1 or later) starts a Ray cluster, runs the search, and takes the cluster down.
#
# To fill in: the image, and a service account that may read and write the results.
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: $name
data:
  $file: $text
---
apiVersion: ray.io/v1
kind: RayJob
metadata:
  name: $name
spec:
  submissionMode: HTTPMode         # the operator submits; if the head is lost, it submits again, and --resume goes on
  entrypoint: $entrypoint
  metadata: $metadata
$environment\
  backoffLimit: 3                  # a retry is a new cluster: all that it needs to go on lies in the results
  shutdownAfterJobFinishes: true
  ttlSecondsAfterFinished: 600     # time to read the logs of the pods
  rayClusterSpec:
    rayVersion: $ray
    authOptions: {mode: token}     # KubeRay makes a token for each cluster and keeps it in a Secret
    enableInTreeAutoscaling: true
    autoscalerOptions:
      version: v2
      idleTimeoutSeconds: 300
      securityContext: &confined
        allowPrivilegeEscalation: false
        capabilities: {drop: [ALL]}
    headGroupSpec:
      rayStartParams: {num-cpus: "0"}   # no trials here: the head runs the search itself and must outlive it
      template:
        spec:
          serviceAccountName: tuner
          securityContext: &person
            runAsNonRoot: true
            runAsUser: 1000
            runAsGroup: 1000
            fsGroup: 1000
            seccompProfile: {type: RuntimeDefault}
          containers:
            - name: ray-head
              image: &image $image
              securityContext: *confined
              resources:
                requests: {cpu: "2", memory: 8Gi}
                limits: {cpu: "2", memory: 8Gi}
              volumeMounts:
                - {name: search, mountPath: $folder, readOnly: true}
          volumes:
            - name: search
              configMap: {name: $name}
    workerGroupSpecs:
      - groupName: trials
        minReplicas: 1
        maxReplicas: $replicas
        rayStartParams: {}
        template:
          spec:
            serviceAccountName: tuner
            automountServiceAccountToken: false   # trials have no business with Kubernetes
            securityContext: *person
            containers:
              - name: ray-worker
                image: *image
                securityContext: *confined
                resources:               # of one node: $trials
                  requests: &worker $has
                  limits: *worker
$tolerations"""
)

_TOLERATIONS = """\
            tolerations:
              - {key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}
"""


def ray_job_manifest(
    file: SearchFile, options: Sequence[str] = (), *, env: Mapping[str, str] | None = None, image: str = IMAGE
) -> str:
    """Return the YAML text of a ConfigMap with the search file and of the RayJob (ray.io/v1) that runs it.

    Args:
        file: The search.
        options: What ``tuner search`` takes besides, as ``command_line`` has them.
        env: Environment variables of the job; they can be read in the manifest and in Kubernetes.
        image: Container image that holds Tuner.

    Raises:
        UsageError: The results would go with the pods.
    """
    if not file.results.startswith("s3://"):
        raise UsageError("the folders of pods go with them: a manifest needs --results s3://bucket/prefix")
    name = job_name(file.name)
    key = f"{file.name}.yaml"
    worker = _worker(file.resources)
    if file.resources.max_concurrent is None:
        # An open-source autoscaler tells nobody how far it would go, and adds nodes only for trials that wait.
        options = [*options, "--max-concurrent", str(_MOST_WORKERS * worker.trials)]
    command = command_line(Package(FOLDER, FOLDER / key), options)
    return _MANIFEST.substitute(
        name=name,
        file=_quoted(key),
        text=_block(file.text, indent=4),
        entrypoint=_quoted(command),
        metadata=_mapping({SEARCH_KEY: file.name, RESULTS_KEY: file.results}),
        environment=_environment(env or {}),
        ray=_quoted(version("ray")),
        image=_quoted(image),
        folder=FOLDER,
        replicas=worker.most,
        trials="one trial" if worker.trials == 1 else f"{worker.trials} trials side by side",
        has=_mapping(worker.has),
        tolerations=_TOLERATIONS if _GPU in worker.has else "",
    )


def job_name(search: str) -> str:
    """Return the name of a search as Kubernetes takes names: lower case letters, digits and hyphens, 47 at most."""
    return re.sub("[._]", "-", f"tuner-{search}")[:_LONGEST_NAME].rstrip("-")


@dataclass(frozen=True)
class _Worker:
    """A worker pod.

    Attributes:
        trials: How many it runs side by side.
        has: Its resources, as Kubernetes names and counts them.
        most: How many such pods there are at most.
    """

    trials: int
    has: dict[str, str]
    most: int


def _worker(resources: Resources) -> _Worker:
    gpus = math.ceil(resources.gpus_per_trial)
    shares = gpus / resources.gpus_per_trial if gpus else _CPUS / resources.cpus_per_trial
    trials = max(1, int(shares))
    memory = _MEMORY_OF_RAY + trials * _MEMORY_PER_TRIAL
    has = {"cpu": str(math.ceil(trials * resources.cpus_per_trial)), "memory": f"{memory}Gi"}
    if gpus:
        has[_GPU] = str(gpus)
    most = resources.max_concurrent
    return _Worker(trials, has, _MOST_WORKERS if most is None else math.ceil(most / trials))


def _environment(variables: Mapping[str, str]) -> str:
    if not variables:
        return ""
    items = ", ".join(f"{_quoted(name)}: {_quoted(value)}" for name, value in variables.items())
    text = f"env_vars: {{{items}}}\n"
    return f"  runtimeEnvYAML: {_block(text, indent=4)}\n"


def _mapping(items: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{key}: {_quoted(value)}' for key, value in items.items())}}}"


def _quoted(text: str) -> str:
    """Return a YAML scalar: JSON's strings are YAML's, but for what YAML takes for the end of a line."""
    letters = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in letters)


def _block(text: str, *, indent: int) -> str:
    """Return a text as a literal block where that keeps it as it is, else quoted."""
    lines = text.split("\n")
    plain = all(line.isprintable() and line == line.rstrip() for line in lines)
    if not plain or not text.endswith("\n") or text.endswith("\n\n") or text[0] in " \n":
        return _quoted(text)
    return "\n".join(["|", *(" " * indent + line if line else "" for line in lines[:-1])])
