"""`reconcile run`."""

import gc
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import click

from reconciler.cli.calls import Counter, call_all, read_arguments, read_inputs, to_line
from reconciler.cli.env_options import (
    ENVIRONMENT_OPTIONS,
    Chosen,
    choose_image,
    environment_options,
    load_options,
    variable,
    variables,
)
from reconciler.cli.options import target_option
from reconciler.cli.place import ExitCode, Globals
from reconciler.rayfine import EnvironmentWrapper, load_env
from reconciler.rayfine.docker.engine import Engine
from reconciler.rayfine.runtime.errors import no_method
from reconciler.rayfine.runtime.orphans import sweep
from reconciler.support.printable import printable
from reconciler.support.signals import handled


@dataclass(frozen=True, slots=True)
class Task:
    """What to call: a method with these arguments, once, or once per input."""

    method: str
    arguments: dict[str, Any]
    inputs: list[Any] | None
    in_order: bool
    variables: dict[str, str]
    quiet: bool

    def say(self, text: str) -> None:
        """Progress, on standard error."""
        if text and not self.quiet:
            click.echo(printable(text), err=True)


@click.command(
    epilog="The result is one line of JSON on standard output. With --input it is one line per "
    'input, {"index": N, "result": ...} or {"index": N, "error": {...}}, and the exit code is 1 '
    "if any failed.\n\n"
    "Examples:\n\n\b\n"
    "  reconcile run affine:latest evaluate --arg task_type=sat --arg num_samples=5\n"
    "  reconcile run RayfineImage.affine evaluate --setup-env CHUTES_API_KEY\n"
    "  reconcile run affine evaluate --input samples.jsonl --replicas 4 > results.jsonl\n"
    "  reconcile run affine evaluate --url http://gpu1:8470 --token-env RAYFINE_TOKEN\n"
    "  reconcile run ml/affine:v1 evaluate --input s.jsonl --replicas 8 --ray-address ray://head:10001\n"
    "  reconcile run --sweep                       # remove what killed runs left behind"
)
@click.argument("env", required=False)
@click.argument("method", required=False)
@click.option(
    "--arg",
    "arguments",
    multiple=True,
    metavar="KEY=VALUE",
    help="An argument; the value is JSON, or else text. Repeatable.",
)
@click.option(
    "--input",
    "input_path",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="One call per line of this JSON Lines file (- is standard input): an object holds "
    "arguments by name, anything else is the only argument.",
)
@click.option("--unordered", is_flag=True, help="With --input: print results as they come.")
@environment_options
@click.option(
    "--timeout",
    "call_timeout",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Limit of each call.",
)
@click.option(
    "--ray-address",
    metavar="ADDRESS",
    help="Run on the nodes of this Ray cluster that have Docker, such as ray://HOST:10001.",
)
@click.option("--url", metavar="URL", help="Use what `reconcile serve` serves there.")
@click.option("--token-env", metavar="NAME", help="With --url: the variable with its token.")
@click.option("--sweep", "only_sweep", is_flag=True, help="Remove orphans of ours, and end.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on standard error.")
@target_option
@click.pass_obj
def command(place: Globals, /, env: str | None, method: str | None, **given: Any) -> ExitCode:
    """Start an environment, call one of its methods, print the result, and clean up.

    ENV is an image on the engine, or the address or id of a RayfineImage in the manifests, which
    means the image of its present content. METHOD is a function of its env.py, or of its class
    Actor.
    """
    gc.enable()
    if given["only_sweep"]:
        return _sweep(given["docker_host"])
    if not env or not method:
        raise click.UsageError("Missing argument 'METHOD'." if env else "Missing argument 'ENV'.")
    task = _task(method, given)
    with interrupted_by_signals("the environment was cleaned up"):
        if given["url"]:
            return _run(Chosen(env), _remote_options(given), task)
        if given["ray_address"]:
            if given["docker_host"]:
                raise click.UsageError("--docker-host and --ray-address exclude each other.")
            chosen = choose_image(place, env, given["target"], "", here=False)
            where = {"ray_address": given["ray_address"]}
        else:
            chosen = choose_image(place, env, given["target"], given["docker_host"])
            where = chosen.place
        return _run(chosen, {**load_options(given), **where}, task)


def _remote_options(given: dict[str, Any]) -> dict[str, Any]:
    """Where the environment is served. How it runs there was decided by `reconcile serve`."""
    for name in (*ENVIRONMENT_OPTIONS, "docker_host", "ray_address"):
        if given[name] not in (None, ""):
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} and --url exclude each other: see `reconcile serve`.")
    if not given["token_env"]:
        raise click.UsageError("--url needs --token-env NAME, the variable with the token.")
    token = variable(given["token_env"], "--token-env")
    return {"mode": "remote", "url": given["url"], "token": token, **load_options(given)}


def _task(method: str, given: dict[str, Any]) -> Task:
    arguments = read_arguments(given["arguments"])
    path = given["input_path"]
    if given["unordered"] and path is None:
        raise click.UsageError("--unordered is only for --input.")
    return Task(
        method=method,
        arguments=arguments,
        inputs=None if path is None else read_inputs(path, arguments),
        in_order=not given["unordered"],
        variables=variables(given["setup"], given["setup_env"]),
        quiet=given["quiet"],
    )


def _run(chosen: Chosen, options: dict[str, Any], task: Task) -> ExitCode:
    start = time.monotonic()
    if url := options.get("url"):
        task.say(f"Using {chosen} at {url}...")
    else:
        count = options.get("replicas", 1)
        replicas = f", {count} replicas" if count > 1 else ""
        task.say(f"Starting {chosen} (engine {options.get('engine', 'ray')}{replicas})...")
    with load_env(chosen.image, **options) as env:
        env.setup(**task.variables)
        task.say(f"Ready after {time.monotonic() - start:.1f}s.")
        if task.inputs is None:
            click.echo(to_line(env.call(task.method, **task.arguments)))
            return ExitCode.OK
        known = env.list_methods()
        if task.method not in known:  # fails once, and not once per input
            raise no_method(task.method, known, env.id, loaded=True)
        return _run_inputs(env, task, task.inputs)


def _run_inputs(env: EnvironmentWrapper, task: Task, inputs: list[Any]) -> ExitCode:
    counter = Counter(len(inputs))
    with closing(call_all(env, task.method, inputs, in_order=task.in_order)) as lines:
        for line, good in lines:
            click.echo(line)
            task.say(counter.add(good=good))
    task.say(f"{counter.words()}.")
    return ExitCode.ERROR if counter.failed else ExitCode.OK


def _sweep(docker_host: str) -> ExitCode:
    with closing(Engine(docker_host or None)) as engine:
        removed = sweep(engine)
        name = engine.name
    for item in removed:
        click.echo(f"Removed container {printable(item)}.")
    if not removed:
        click.echo(f"Nothing to remove: no orphans of ours on {printable(name)}.")
    return ExitCode.OK


@contextmanager
def interrupted_by_signals(words: str) -> Iterator[None]:
    """End the block the same way on Ctrl-C and SIGTERM: clean up, then say these words."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(words)

    with handled(interrupt, signal.SIGINT, signal.SIGTERM):
        yield
