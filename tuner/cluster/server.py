"""A cluster's job server, through Ray's own client: every answer in bounded time, every failure one sentence."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from http import HTTPStatus
from http.client import BadStatusLine
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import requests
from packaging.version import Version
from ray.exceptions import AuthenticationError
from ray.job_submission import JobSubmissionClient

from tuner.cluster.address import VARIABLES
from tuner.cluster.job import Job
from tuner.cluster.patience import Patience
from tuner.facts.errors import ClusterError, UsageError
from tuner.facts.ray_token import token_problem

#: Tuner runs on the cluster too, and needs this Ray there: the first that says who it is to a client (2.52 brought
#: tokens). pyproject.toml has the same bound.
OLDEST_RAY = "2.54"

#: Seconds to connect, and between two bytes of an answer.
_TIMEOUT = (10.0, 60.0)
#: Seconds for which a log's connection may be silent before the job is looked after.
_SILENCE_SECONDS = 20.0
#: Seconds for which a job that is followed may be out of reach: a head that is started anew takes minutes.
_PATIENCE_SECONDS = 600.0

#: Loggers that set a level of their own.
_TALKATIVE = ("ray", "ray.dashboard.modules.dashboard_sdk", "ray.dashboard.modules.job.sdk")

_Answer = TypeVar("_Answer")


class JobServer:
    """The job server at one address.

    Every method raises ClusterError where the server cannot be reached or refuses.
    """

    def __init__(self, address: str) -> None:
        """Connect; see ``connect``, which prepares the environment that Ray reads when it is first imported.

        Args:
            address: As ``job_server_address`` returned it.

        Raises:
            ClusterError: Nothing answers there, it refuses, or it is no job server that can run a search.
        """
        self.address = address
        self._client = _connected(address)

    def submit(
        self,
        command: str,
        *,
        folder: Path,
        env: Mapping[str, str],
        submission_id: str,
        metadata: Mapping[str, str],
    ) -> None:
        """Hand a job in.

        Args:
            command: A line for the shell of the cluster's head.
            folder: What it takes along, and runs in a copy of.
            env: Environment variables of the job and of all its processes.
            submission_id: Its id.
            metadata: What it remembers.

        Raises:
            UsageError: There is a job of this id.
        """
        try:
            self._client.submit_job(
                entrypoint=command,
                runtime_env={"working_dir": str(folder), "env_vars": dict(env)},
                submission_id=submission_id,
                metadata=dict(metadata),
            )
        except RuntimeError as error:
            if "already exists" in str(error):
                raise UsageError(f"{self.address} has a job '{submission_id}' already; choose another id") from error
            raise self._refused(error) from error

    def find(self, job_id: str) -> Job | None:
        """Return a job, or None where there is none of this id."""
        try:
            return Job.from_ray(self._client.get_job_info(job_id))
        except RuntimeError as error:
            if "status code 404" in str(error):
                return None
            raise self._refused(error) from error

    def get(self, job_id: str) -> Job:
        """Return a job.

        Raises:
            UsageError: There is none of this id.
        """
        job = self.find(job_id)
        if job is None:
            raise UsageError(
                f"{self.address} has no job '{job_id}'; 'tuner status --address {self.address}' lists them"
            )
        return job

    def jobs(self) -> list[Job]:
        """Return the jobs that are searches, oldest first."""
        jobs = [Job.from_ray(details) for details in self._asked(self._client.list_jobs)]
        return sorted((job for job in jobs if job.search is not None), key=lambda job: job.started_at or 0)

    def log(self, job_id: str) -> str:
        """Return what a job has printed so far."""
        return str(self._asked(lambda: self._client.get_job_logs(job_id)))

    def follow(self, job_id: str, say: Callable[[str], object]) -> Iterator[str]:
        """Yield what a job prints, from its beginning, until it has ended.

        A lost connection is opened again; what was yielded is not repeated.

        Args:
            job_id: A job that was there a moment ago.
            say: Tells a person, in a sentence, that the server is out of reach, and that it answers again.
        """
        printed = 0
        patience = Patience(self.address, _PATIENCE_SECONDS, say)
        while True:
            seen = 0
            try:
                for text in self._tail(job_id, patience):
                    patience.answered()
                    fresh = text[max(0, printed - seen) :]
                    seen += len(text)
                    printed = max(printed, seen)
                    if fresh:
                        yield fresh
                if self.get(job_id).ended:
                    yield self.log(job_id)[printed:]  # what a connection that went silent kept back
                    return
                patience.answered()
            except UsageError as error:
                raise ClusterError(f"{self.address} has lost the job '{job_id}'; submitted again it goes on") from error
            except ClusterError as error:
                patience.failed(error)
            time.sleep(1.0)

    def stop(self, job_id: str) -> bool:
        """Ask for a job's end; returns whether it ran."""
        return bool(self._asked(lambda: self._client.stop_job(job_id)))

    def _tail(self, job_id: str, patience: Patience) -> Iterator[str]:
        """Yield pieces of a log from one connection, until that is closed or the job has ended without a word.

        Args:
            job_id: The job.
            patience: Hears that the server answers while the log is silent.
        """
        pieces = self._client.tail_job_logs(job_id)
        with asyncio.Runner() as runner:  # which closes the connection, whatever ends it
            try:
                while (piece := runner.run(self._next(pieces, job_id, patience))) is not None:
                    yield piece
            except aiohttp.WSServerHandshakeError as error:
                self.get(job_id)  # raises where there is no such job, or worse
                raise self._refused(error) from error
            except (OSError, aiohttp.ClientError) as error:
                raise ClusterError(f"{self.address} cannot be reached: {_words(error)}") from error
            except RuntimeError as error:
                raise self._refused(error) from error

    async def _next(self, pieces: AsyncIterator[str], job_id: str, patience: Patience) -> str | None:
        waiting = asyncio.ensure_future(anext(pieces, None))
        try:
            while not (await asyncio.wait({waiting}, timeout=_SILENCE_SECONDS))[0]:
                if self.get(job_id).ended:  # raises where the server is gone, which a silent connection never shows
                    return None
                patience.answered()
            return waiting.result()
        finally:
            waiting.cancel()
            await asyncio.wait({waiting})

    def _asked(self, question: Callable[[], _Answer]) -> _Answer:
        try:
            return question()
        except RuntimeError as error:
            raise self._refused(error) from error

    def _refused(self, error: Exception) -> ClusterError:
        lines = str(error).strip().splitlines()
        return ClusterError(f"{self.address} refuses: {lines[-1] if lines else type(error).__name__}")


class _Client(JobSubmissionClient):  # type: ignore[misc]  # ray is untyped
    """Ray's client, which would wait for ever for a server that does not answer."""

    def _do_request(self, method: str, endpoint: str, **kwargs: Any) -> Any:
        address = self._address
        try:
            response = super()._do_request(method, endpoint, timeout=_TIMEOUT, **kwargs)
        except AuthenticationError:
            raise ClusterError(f"{address} {token_problem()}") from None
        except requests.exceptions.SSLError as error:
            cause = _cause(error)
            if isinstance(cause, ssl.SSLCertVerificationError):
                raise ClusterError(f"the certificate of {address} is not trusted: {cause.verify_message}") from error
            raise ClusterError(f"{address} does not speak https") from error
        except requests.exceptions.Timeout as error:
            raise ClusterError(f"{address} does not answer") from error
        except requests.exceptions.RequestException as error:
            if isinstance(_cause(error), BadStatusLine) and not isinstance(_cause(error), OSError):
                raise ClusterError(f"{address} is no Ray job server (that is the dashboard's port, 8265)") from error
            raise ClusterError(f"{address} cannot be reached: {_words(error)}") from error
        if response.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise UsageError(f"{address} does not take so large a folder; name a smaller one: --working-dir DIR")
        return response


def _connected(address: str) -> _Client:
    for name in _TALKATIVE:  # what goes wrong is told once, by us
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        with _only(address):
            client = _Client(address, verify=_certificates())
    except AuthenticationError:  # there is no token to send
        raise ClusterError(f"{address} {token_problem()}") from None
    except FileNotFoundError as error:
        raise UsageError(str(error)) from error
    except (RuntimeError, ValueError, KeyError, TypeError, requests.exceptions.RequestException) as error:
        raise ClusterError(f"{address} is no job server of a Ray cluster") from error
    version = client._server_ray_version
    if Version(version) < Version(OLDEST_RAY):
        raise ClusterError(f"{address} runs Ray {version}; a search needs {OLDEST_RAY} or later")
    return client


@contextlib.contextmanager
def _only(address: str) -> Iterator[None]:
    """Let the environment say the same address: Ray lets it win over its client's own argument."""
    before = os.environ.get(VARIABLES[0])
    os.environ[VARIABLES[0]] = address
    try:
        yield
    finally:
        del os.environ[VARIABLES[0]]
        if before is not None:
            os.environ[VARIABLES[0]] = before


def _certificates() -> str | bool:
    """Return who vouches for servers: a file or folder that the environment names, or everybody's usual authorities."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE") or True


def _words(error: BaseException) -> str:
    cause = _cause(error)
    if not isinstance(cause, OSError):
        return type(cause).__name__
    # A name that is not found has a negative number, which only its own text explains.
    number = cause.errno or 0
    return os.strerror(number) if number > 0 else cause.strerror or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    """Return the innermost reason; what is around it repeats the address."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error
