"""What deploy/ holds is what Ray, EC2, KubeRay and ``tuner`` take; nothing here starts a cloud or a Kubernetes."""

from __future__ import annotations

import argparse
import copy
import gzip
import re
import shlex
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import botocore.session
import click
import jsonschema
import pytest
import yaml
from botocore.validate import ParamValidator
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import cli as ray_command

from tuner.cli.main import main
from tuner.cluster.manifest import job_name, ray_job_manifest
from tuner.facts.errors import UsageError
from tuner.hyperparameters.table import TRAINABLES
from tuner.space.read import read_search_file
from tuner.space.searchfile import SearchFile

DEPLOY = Path("deploy")
RESULTS = "s3://my-bucket/searches"
SECRETS = re.compile(r"AKIA|BEGIN [A-Z ]*PRIVATE|aws_secret|(?i:password)|auth_token: ")


def cluster_file() -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / "cluster.yaml").read_text(encoding="utf-8"))


def manifest() -> tuple[dict[str, Any], dict[str, Any]]:
    config_map, ray_job = yaml.safe_load_all((DEPLOY / "rayjob.yaml").read_text(encoding="utf-8"))
    return config_map, ray_job


def renamed(tree: dict[str, Any], path: str, wrong: str) -> dict[str, Any]:
    """Return a copy of a tree in which the key at a dotted path is misspelled."""
    tree = copy.deepcopy(tree)
    *way, last = path.split(".")
    node: Any = tree
    for word in way:
        node = node[int(word)] if word.isdecimal() else node[word]
    node[wrong] = node.pop(last)
    return tree


class TestClusterFile:
    """deploy/cluster.yaml, for ``ray up``."""

    def test_ray_up_takes_it(self):
        validate_config(prepare_config(cluster_file()))

    @pytest.mark.parametrize(
        ("path", "wrong"),
        [
            ("max_workers", "max_worker"),
            ("docker.run_options", "runOptions"),
            ("auth.ssh_user", "user"),
            ("provider.security_group.GroupName", "Name"),
            ("available_node_types.gpu.resources", "ressources"),
            ("available_node_types.gpu.max_workers", "maxWorkers"),
        ],
    )
    def test_a_misspelled_key_is_seen(self, path, wrong):
        with pytest.raises(jsonschema.ValidationError):
            validate_config(prepare_config(renamed(cluster_file(), path, wrong)))

    @pytest.mark.parametrize("kind", ["head", "gpu"])
    def test_ec2_takes_its_nodes(self, kind):
        assert problems_of_node(cluster_file()["available_node_types"][kind]["node_config"]) == ""

    def test_a_parameter_that_ec2_does_not_have_is_seen(self):
        node = cluster_file()["available_node_types"]["gpu"]["node_config"]
        assert "MarketTypes" in problems_of_node(renamed(node, "InstanceMarketOptions.MarketType", "MarketTypes"))

    def test_trials_run_on_workers_that_come_and_go(self):
        file = cluster_file()
        head, gpu = (file["available_node_types"][kind] for kind in ("head", "gpu"))
        assert file["head_node_type"] == "head" and head["resources"] == {"CPU": 0}
        assert gpu["resources"]["GPU"] == 1 and gpu["min_workers"] < gpu["max_workers"] <= file["max_workers"]
        assert "--gpus=all" in file["docker"]["worker_run_options"]
        assert gpu["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
        assert file["provider"]["cache_stopped_nodes"] is False, "a spot instance cannot be stopped"

    def test_the_image_is_started_as_ray_means_it_and_nothing_is_installed_in_it(self):
        prepared = prepare_config(cluster_file())
        assert "--entrypoint=" in prepared["docker"]["run_options"], "Ray starts it with bash"
        for commands in ("setup_commands", "head_setup_commands", "worker_setup_commands"):
            assert prepared[commands] == []

    def test_nodes_want_a_token_and_the_dashboard_stays_on_loopback(self):
        file = cluster_file()
        options = file["docker"]["run_options"]
        (path,) = [option.partition("TOKEN_PATH=")[2] for option in options if "RAY_AUTH_TOKEN_PATH" in option]
        assert "--env=RAY_AUTH_MODE=token" in options
        assert str(Path(path).parent) in file["file_mounts"]
        assert any("--dashboard-host=127.0.0.1" in command for command in file["head_start_ray_commands"])

    def test_it_holds_no_keys(self):
        assert not SECRETS.search((DEPLOY / "cluster.yaml").read_text(encoding="utf-8"))
        for node in cluster_file()["available_node_types"].values():
            assert node["node_config"]["IamInstanceProfile"]["Name"]
            assert node["node_config"]["MetadataOptions"] == {"HttpTokens": "required"}


def problems_of_node(node: dict[str, Any]) -> str:
    """Return what EC2's RunInstances, as botocore describes it, would refuse of a node's configuration."""
    service = botocore.session.get_session().get_service_model("ec2")
    shape = service.operation_model("RunInstances").input_shape
    return ParamValidator().validate({**node, "MinCount": 1, "MaxCount": 1}, shape).generate_report()


@cache
def ray_jobs() -> jsonschema.Draft202012Validator:
    """Return what knows KubeRay's published definition of a RayJob, and refuses what that does not hold."""
    with gzip.open(Path("tests/schemas/ray.io_rayjobs.yaml.gz")) as file:
        definition = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    (served,) = [item for item in definition["spec"]["versions"] if item["name"] == "v1"]
    schema = closed(served["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}  # Kubernetes knows it, the definition does not say it
    return jsonschema.Draft202012Validator(schema)


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a structural schema as JSON Schema; an API server would drop unknown fields, and say so in a warning."""
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"], **{key: schema[key] for key in ("pattern",) if key in schema}}
    kept = (
        "type",
        "enum",
        "pattern",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "required",
    )
    made = {key: schema[key] for key in kept if key in schema}
    if "items" in schema:
        made["items"] = closed(schema["items"])
    if schema.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["properties"] = {name: closed(item) for name, item in schema.get("properties", {}).items()}
        others = schema.get("additionalProperties", False)
        made["additionalProperties"] = closed(others) if isinstance(others, dict) else others
    return made


def pods(ray_job: dict[str, Any]) -> list[dict[str, Any]]:
    cluster = ray_job["spec"]["rayClusterSpec"]
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


HEAD = "spec.rayClusterSpec.headGroupSpec.template.spec"
WORKERS = "spec.rayClusterSpec.workerGroupSpecs.0"


class TestRayJob:
    """deploy/rayjob.yaml, for KubeRay."""

    def test_kuberay_takes_it(self):
        ray_jobs().validate(manifest()[1])

    @pytest.mark.parametrize(
        ("path", "wrong"),
        [
            ("spec.backoffLimit", "backofLimit"),
            ("spec.rayClusterSpec", "rayCluster"),
            ("spec.rayClusterSpec.authOptions.mode", "kind"),
            ("spec.rayClusterSpec.autoscalerOptions.idleTimeoutSeconds", "idleTimeoutMinutes"),
            (f"{WORKERS}.maxReplicas", "maxReplica"),
            (f"{WORKERS}.template.spec.tolerations.0.effect", "affect"),
            (f"{HEAD}.securityContext.runAsNonRoot", "runAsNonroot"),
            (f"{HEAD}.containers.0.image", "img"),
            (f"{HEAD}.containers.0.resources.limits", "limit"),
            (f"{HEAD}.containers.0.volumeMounts.0.mountPath", "path"),
            (f"{HEAD}.volumes.0.configMap", "configmap"),
        ],
    )
    def test_a_misspelled_key_is_seen(self, path, wrong):
        with pytest.raises(jsonschema.ValidationError):
            ray_jobs().validate(renamed(manifest()[1], path, wrong))

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("submissionMode", 1),
            ("backoffLimit", "three"),
            ("entrypoint", ["tuner"]),
            ("shutdownAfterJobFinishes", "on"),
        ],
    )
    def test_a_value_of_the_wrong_kind_is_seen(self, key, value):
        ray_job = manifest()[1]
        ray_job["spec"][key] = value
        with pytest.raises(jsonschema.ValidationError):
            ray_jobs().validate(ray_job)

    def test_an_amount_that_is_none_is_seen(self):
        ray_job = manifest()[1]
        pods(ray_job)[0]["containers"][0]["resources"]["limits"]["memory"] = "8 gigabytes"
        with pytest.raises(jsonschema.ValidationError):
            ray_jobs().validate(ray_job)

    def test_the_pods_get_the_search_file_as_it_is(self):
        config_map, ray_job = manifest()
        assert set(config_map) == {"apiVersion", "kind", "metadata", "data"}
        assert (config_map["apiVersion"], config_map["kind"]) == ("v1", "ConfigMap")
        (volume,) = pods(ray_job)[0]["volumes"]
        assert volume["configMap"]["name"] == config_map["metadata"]["name"]
        (mount,) = pods(ray_job)[0]["containers"][0]["volumeMounts"]
        assert mount["name"] == volume["name"] and mount["readOnly"]
        ((name, text),) = config_map["data"].items()
        assert text == Path("search_spaces/cifar10.yaml").read_text(encoding="utf-8")
        assert f"{mount['mountPath']}/{name}" in shlex.split(ray_job["spec"]["entrypoint"])

    def test_a_retry_resumes_on_a_new_cluster(self):
        spec = manifest()[1]["spec"]
        assert spec["backoffLimit"] > 0 and spec["shutdownAfterJobFinishes"]
        words = shlex.split(spec["entrypoint"])
        assert words[:2] == ["tuner", "search"] and "--resume" in words
        assert words[words.index("--results") + 1] == RESULTS == spec["metadata"]["tuner_results"]

    def test_an_autoscaler_sees_as_many_trials_as_its_largest_cluster_holds(self):
        spec = manifest()[1]["spec"]
        cluster = spec["rayClusterSpec"]
        (group,) = cluster["workerGroupSpecs"]
        words = shlex.split(spec["entrypoint"])
        assert cluster["enableInTreeAutoscaling"] and group["minReplicas"] < group["maxReplicas"]
        assert int(words[words.index("--max-concurrent") + 1]) == 2 * group["maxReplicas"], "two trials share a GPU"
        assert cluster["headGroupSpec"]["rayStartParams"] == {"num-cpus": "0"}

    def test_kuberay_knows_the_version_of_ray_in_the_image(self):
        constraints = Path("constraints.txt").read_text(encoding="utf-8").splitlines()
        assert f"ray=={manifest()[1]['spec']['rayClusterSpec']['rayVersion']}" in constraints
        assert version("ray") in manifest()[1]["spec"]["rayClusterSpec"]["rayVersion"]

    def test_pods_are_persons_without_privileges(self):
        ray_job = manifest()[1]
        cluster = ray_job["spec"]["rayClusterSpec"]
        assert cluster["authOptions"] == {"mode": "token"}
        contexts = [container["securityContext"] for pod in pods(ray_job) for container in pod["containers"]]
        for context in [*contexts, cluster["autoscalerOptions"]["securityContext"]]:
            assert context == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        for pod in pods(ray_job):
            assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000
            assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert pods(ray_job)[1]["automountServiceAccountToken"] is False

    def test_it_holds_no_keys(self):
        assert not SECRETS.search((DEPLOY / "rayjob.yaml").read_text(encoding="utf-8"))


def search_file(path: Path, results: str = RESULTS) -> SearchFile:
    return read_search_file(path, trainables=TRAINABLES, flags={"results": ("--results", results)})


def space(folder: Path, text: str) -> Path:
    (folder / "space.yaml").write_bytes(text.encode())
    return folder / "space.yaml"


def printed(file: SearchFile, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    config_map, ray_job = yaml.safe_load_all(ray_job_manifest(file, options))
    ray_jobs().validate(ray_job)
    return config_map, ray_job


BODY = "data: {dataset: digits}\nparameters: {epochs: 2, lr: {min: 0.1, max: 0.2}}\n"


class TestAnyManifest:
    """``ray_job_manifest``, for searches of other kinds."""

    @pytest.mark.parametrize(
        "text",
        [
            BODY,
            BODY.rstrip("\n"),
            f"{BODY}\n\n",
            f"\n{BODY}",
            f"  # {{}} $name ${{text}} %\n{BODY}",
            f"---\n{BODY}...\n",
            f"# \N{LATIN SMALL LETTER O WITH DIAERESIS}, \N{HUGGING FACE} \t tab \n{BODY}",
            BODY.replace("\n", "\r\n"),
            f"# a\u2028# b\x85# c\xa0\n{BODY}",
        ],
        ids=[
            "plain",
            "open end",
            "blank end",
            "blank start",
            "indented",
            "document",
            "other letters",
            "dos",
            "line ends of others",
        ],
    )
    def test_the_file_arrives_unchanged(self, tmp_path, text):
        file = search_file(space(tmp_path, text))
        assert printed(file)[0]["data"] == {"space.yaml": file.text}

    @pytest.mark.parametrize("option", ["a b", "it's", "$(id)", '"', "a\\b", "parameters.lr={min: 1e-4, max: 1}", "#"])
    def test_options_reach_the_command_as_they_are(self, tmp_path, option):
        ray_job = printed(search_file(space(tmp_path, BODY)), "--set", option)[1]
        words = shlex.split(ray_job["spec"]["entrypoint"])
        assert words[words.index("--set") + 1] == option

    @pytest.mark.parametrize(
        ("resources", "has", "most", "concurrent"),
        [
            ("{}", {"cpu": "4", "memory": "20Gi"}, 4, "16"),
            ("{cpus_per_trial: 3}", {"cpu": "3", "memory": "8Gi"}, 4, "4"),
            ("{cpus_per_trial: 8}", {"cpu": "8", "memory": "8Gi"}, 4, "4"),
            ("{gpus_per_trial: 0.3}", {"cpu": "3", "memory": "16Gi", "nvidia.com/gpu": "1"}, 4, "12"),
            ("{gpus_per_trial: 1, cpus_per_trial: 1.5}", {"cpu": "2", "memory": "8Gi", "nvidia.com/gpu": "1"}, 4, "4"),
            ("{max_concurrent: 6}", {"cpu": "4", "memory": "20Gi"}, 2, None),
        ],
    )
    def test_workers_fit_the_trials(self, tmp_path, resources, has, most, concurrent):
        ray_job = printed(search_file(space(tmp_path, f"resources: {resources}\n{BODY}")))[1]
        (group,) = ray_job["spec"]["rayClusterSpec"]["workerGroupSpecs"]
        pod = group["template"]["spec"]
        assert pod["containers"][0]["resources"] == {"requests": has, "limits": has}
        assert ("tolerations" in pod) == ("nvidia.com/gpu" in has)
        assert group["maxReplicas"] == most
        words = shlex.split(ray_job["spec"]["entrypoint"])
        assert (words[words.index("--max-concurrent") + 1] if "--max-concurrent" in words else None) == concurrent

    @pytest.mark.parametrize("name", ["a", "cifar10.v2_big", "0.1", "a" * 63, f"{'a' * 40}.{'b' * 22}", "a-_-"])
    def test_kubernetes_takes_its_name(self, tmp_path, name):
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?", job_name(name))
        config_map, ray_job = printed(search_file(space(tmp_path, f"name: '{name}'\n{BODY}")))
        assert config_map["metadata"]["name"] == ray_job["metadata"]["name"] == job_name(name)
        assert set(config_map["data"]) == {f"{name}.yaml"}

    def test_results_in_a_folder_would_go_with_the_pods(self, tmp_path):
        with pytest.raises(UsageError, match="s3://"):
            ray_job_manifest(search_file(space(tmp_path, BODY), results="/shared/results"))


def test_the_example_is_what_the_command_prints(capsys):
    assert main(["submit", "search_spaces/cifar10.yaml", "--results", RESULTS, "--manifest"]) == 0
    assert capsys.readouterr().out == (DEPLOY / "rayjob.yaml").read_text(encoding="utf-8")


def test_the_command_says_which_image_and_which_environment(capsys, monkeypatch):
    monkeypatch.setenv("FROM_HERE", 'it\'s "so": #1\u2028')
    words = ["--image", "example.org/own:1", "--env", "NO=1", "--env", "FROM_HERE", "--manifest"]
    assert main(["submit", "search_spaces/quickstart.yaml", "--results", RESULTS, *words]) == 0
    ray_job = list(yaml.safe_load_all(capsys.readouterr().out))[1]
    assert {pod["containers"][0]["image"] for pod in pods(ray_job)} == {"example.org/own:1"}
    variables = yaml.safe_load(ray_job["spec"]["runtimeEnvYAML"])["env_vars"]
    assert variables.items() >= {"NO": "1", "FROM_HERE": 'it\'s "so": #1\u2028'}.items()


@pytest.mark.parametrize(
    "words",
    [["--image", "own:1"], *(["--manifest", *more] for more in (["--wait"], ["--json"], ["--working-dir", "."]))],
    ids=shlex.join,
)
def test_an_option_that_would_do_nothing_is_refused(capsys, words):
    assert main(["submit", "search_spaces/quickstart.yaml", "--results", RESULTS, *words]) == 2
    assert "--manifest" in capsys.readouterr().err


def commands(program: str) -> list[list[str]]:
    """Return what follows a program's name in each of its command lines in the page's blocks of commands."""
    page = (DEPLOY / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    found = []
    for line in re.findall(r"^ {4,}(\S.*)$", page, re.MULTILINE):
        if re.match(r'FROM|COPY|\{|"', line):
            continue  # of a Dockerfile, or JSON
        words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
        words.whitespace_split, words.commenters = True, ""
        found += simple_commands(list(words))
    return [words[1:] for words in found if words[0] == program]


def simple_commands(words: list[str]) -> list[list[str]]:
    """Return the commands of a pipeline; what follows a redirection is no command, but nor is it one of those asked."""
    found: list[list[str]] = [[]]
    for word in words:
        if set(word) <= set("|&;<>()"):
            found.append([])
        else:
            found[-1].append(word)
    return [words for words in found if words]


class TestPage:
    """deploy/README.md: its commands are those that the programs have."""

    @pytest.mark.parametrize("words", commands("tuner"), ids=shlex.join)
    def test_tuner_takes_its_commands(self, words):
        parser = argparse.ArgumentParser()
        import_module(f"tuner.cli.{words[0]}").configure(parser)
        parser.parse_args(words[1:])

    @pytest.mark.parametrize("words", commands("ray"), ids=shlex.join)
    def test_ray_takes_its_commands(self, words):
        parsed_by_ray(words)

    @pytest.mark.parametrize("key", ["head_start_ray_commands", "worker_start_ray_commands"])
    def test_ray_takes_the_commands_of_the_cluster_file(self, key):
        for command in cluster_file()[key]:
            program, *words = shlex.split(command)
            assert program == "ray"
            parsed_by_ray(words)

    def test_an_option_that_ray_does_not_have_is_seen(self):
        with pytest.raises(click.UsageError):
            parsed_by_ray(["start", "--head", "--dashboard-hots=127.0.0.1"])

    def test_it_has_commands_to_test(self):
        assert {words[0] for words in commands("tuner")} == {"search", "submit", "status", "leaderboard"}
        assert {words[0] for words in commands("ray")} == {"start", "up", "dashboard", "down"}

    def test_each_place_names_the_files_that_are_there(self):
        page = (DEPLOY / "README.md").read_text(encoding="utf-8")
        for file in sorted(DEPLOY.iterdir()):
            assert file.name == "README.md" or f"]({file.name})" in page


def parsed_by_ray(words: list[str]) -> None:
    """Read a command of Ray's without running it."""
    name, *options = words
    command = ray_command.commands[name]
    command.parse_args(click.Context(command), options)


def test_the_manifest_runs_a_command_that_tuner_takes():
    program, name, *words = shlex.split(manifest()[1]["spec"]["entrypoint"])
    parser = argparse.ArgumentParser()
    import_module(f"{program}.cli.{name}").configure(parser)
    parsed = parser.parse_args(words)
    assert parsed.resume and parsed.address == "auto"
