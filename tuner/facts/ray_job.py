"""Whether this process is what a job of a Ray cluster runs."""

from __future__ import annotations

import os

#: Set by Ray's job server for what a job runs: the job's configuration, as JSON.
JOB_VARIABLE = "RAY_JOB_CONFIG_JSON_ENV_VAR"


def in_ray_job() -> bool:
    """Return whether whoever reads what this process prints submitted it, and typed another command."""
    return JOB_VARIABLE in os.environ
