"""Ray's token authentication, as Ray reads it from the environment."""

from __future__ import annotations

import os
from pathlib import Path

#: Where Ray looks for the token, in its order; ``~/.ray/auth_token`` comes last.
TOKEN_VARIABLES = ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH")

#: What says whether Ray wants and sends one.
MODE_VARIABLE = "RAY_AUTH_MODE"


def use_token() -> None:
    """Called before Ray is asked for anything: whoever names a token wants it sent, which Ray alone does not do."""
    if any(os.environ.get(variable) for variable in TOKEN_VARIABLES):
        os.environ.setdefault(MODE_VARIABLE, "token")


def token_problem() -> str:
    """Return what is wrong where a cluster refuses this process, as the end of a sentence about the cluster.

    The token itself is never part of it.
    """
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    if os.environ.get(MODE_VARIABLE, "token") != "token":
        return f"wants a token, and {MODE_VARIABLE} says '{os.environ[MODE_VARIABLE]}'; set it to 'token'"
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "refuses the token in RAY_AUTH_TOKEN"
    if path and not Path(path).expanduser().is_file():
        return f"wants a token, and RAY_AUTH_TOKEN_PATH names {path}, which is no file"
    if path:
        return f"refuses the token in {path}, which RAY_AUTH_TOKEN_PATH names"
    if MODE_VARIABLE in os.environ and (Path.home() / ".ray" / "auth_token").is_file():
        return "refuses the token in ~/.ray/auth_token; set RAY_AUTH_TOKEN_PATH to a file that holds the cluster's"
    return "wants a token; set RAY_AUTH_TOKEN_PATH to a file that holds it"
