"""`chatterbox-serve tune`: measures this machine with a model, and writes the serve config that
suits both.

Each stage is measured in a process of its own, one after another, in each precision that it has and
with several numbers of threads. app/engine/tuning/choice.py then chooses.
"""

import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from app.config import ServeArgs
from app.engine.tuning.choice import Choice, Measured, Replicas, best
from app.engine.tuning.machine import Machine, measure_machine, thread_counts
from app.engine.tuning.trial import Result, StageName, Trial
from app.errors import ConfigError, Unavailable
from deployments.config_check import IMPORT_PATH, check_config, check_model

Say = Callable[[str], None]
RunTrial = Callable[[Trial], Result]

_TRIAL_S = 600.0  # a machine that needs longer to load and measure one stage serves nobody
_OTHER_CPUS = 0.7  # that Ray reserves for the ingress and the Enroller, and a little to spare
_MOST_CPUS = 0.5  # of a replica: only a number that Ray counts with
_WIDTH = 98  # of a comment
_NEEDS = {"bfloat16": ("amx_bf16",)}  # instruction sets without which a precision is slow
_QUIET_LOAD = 0.5  # processes that want a core
_TRIED: Mapping[StageName, Sequence[str]] = {
    "t3": ("float32", "bfloat16", "int8"),
    "vocoder": ("float32", "int8"),
}


def write_tuned_config(
    config: Path,
    out: Path,
    model: str | None,
    say: Say,
    *,
    measure: Callable[[], Machine] = measure_machine,
    run_trial: RunTrial | None = None,
) -> Choice:
    """Writes `out`, which is `config` with the settings that are best here. Raises ConfigError for
    a config without exactly one application of ours and for a file that exists, and Unavailable
    where a stage cannot be measured in any precision."""
    content = check_config(config)
    if out.exists():
        raise ConfigError(f"{out} exists; choose another file with --out")
    args = _settle_args(content, model)
    check_model(content)
    machine = measure()
    say(machine.summary)
    if machine.load > _QUIET_LOAD:
        say(
            f"Other programs run here (load {machine.load:.1f}): the engines are slower than alone."
        )
    run = run_trial or _in_a_process
    t3 = _measured("t3", args, machine, run, say)
    vocoder = _measured("vocoder", args, machine, run, say)
    choice = best(machine.num_cores, machine.memory_bytes, args, t3, vocoder)
    if choice is None:
        raise Unavailable(
            "nothing could be measured that fits into the memory of this machine; a model without "
            "a voice of its own cannot be measured"
        )
    _set(_application(content)["args"], choice, machine)
    notes = _notes(args.model, machine, choice)
    out.write_text(notes + yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
    check_config(out)
    return choice


def summary_of(choice: Choice) -> str:
    """For the operator."""
    streams = f"{choice.callers} callers at the same time without a gap"
    if not choice.callers:
        streams = f"slower than real time: {choice.bears:.2f} seconds of sound in a second"
    cells = ", ".join(map(str, choice.ladder))
    return (
        f"T3: {_told(choice.t3)}. Vocoder: {_told(choice.vocoder)}, first cells of {cells} tokens. "
        f"A lone stream's sound begins {choice.starts_s:.1f} s after its prompt and does not stop. "
        f"Expected: {streams}."
    )


def _told(stage: Replicas) -> str:
    replicas = "1 replica" if stage.count == 1 else f"{stage.count} replicas"
    return f"{stage.dtype}, {replicas}, threads of each: {stage.threads}"


def _application(content: Mapping[str, Any]) -> dict[str, Any]:
    ours = [each for each in content["applications"] if each.get("import_path") == IMPORT_PATH]
    if len(ours) != 1:
        raise ConfigError(f"tune needs a config with one application of {IMPORT_PATH}")
    (application,) = ours
    found: dict[str, Any] = application
    return found


def _settle_args(content: Mapping[str, Any], model: str | None) -> ServeArgs:
    """The arguments to measure with: those of the config, on the CPU, with this model. The content
    gets them too."""
    application = _application(content)
    args = dict(application.get("args") or {}) | {"device": "cpu"}
    if model is not None and model != args.get("model"):
        args |= {"model": model}
        args.pop("revision", None)  # of the other model
    application["args"] = args
    return ServeArgs.model_validate(args)


def _measured(
    stage: StageName, args: ServeArgs, machine: Machine, run: RunTrial, say: Say
) -> list[Measured]:
    """In each precision. One that the stage cannot have here is left out."""
    settings = args.t3 if stage == "t3" else args.vocoder
    found = []
    for dtype in precisions_of(stage, machine.features):
        changed = args.model_copy(update={stage: settings.model_copy(update={"dtype": dtype})})
        threads = thread_counts(machine.num_cores)
        name = f"{stage}, {dtype}"
        try:
            result = run(Trial(stage=stage, args=changed, threads=threads))
        except Unavailable as error:
            say(f"{name}: {error.message}")
        else:
            found.append(Measured(dtype, result.costs, result.memory_bytes))
            say(f"{name}: {_costs_of(stage, result)}")
    return found


def precisions_of(stage: StageName, features: Sequence[str]) -> list[str]:
    """Those that the stage has and that this processor is made for."""
    return [name for name in _TRIED[stage] if {*_NEEDS.get(name, ())} <= {*features}]


def _costs_of(stage: StageName, result: Result) -> str:
    unit, count = ("step of one sequence", 1) if stage == "t3" else ("cell of 25 tokens", 25)
    costs = [f"{1e3 * cost.of(count):.0f} ms ({n})" for n, cost in result.costs.items()]
    told = f"a {unit} (threads) {', '.join(costs)}" if costs else "not measured"
    return f"{told}; {result.memory_bytes / 2**30:.1f} GiB, loaded in {result.loading_s:.0f} s"


def _in_a_process(trial: Trial) -> Result:
    command = [sys.executable, "-W", "ignore", "-m", "app.engine.tuning.trial"]
    try:
        done = subprocess.run(
            [*command, trial.model_dump_json()],
            capture_output=True,
            text=True,
            timeout=_TRIAL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"it is not measured after {_TRIAL_S:g} s") from None
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise Unavailable(f"it cannot be measured: {last}")
    return Result.model_validate_json(done.stdout.splitlines()[-1])


def _set(args: dict[str, Any], choice: Choice, machine: Machine) -> None:
    """Change the `args:` of a config to what was chosen."""
    num_replicas = choice.t3.count + choice.vocoder.count
    cpus = round(min(_MOST_CPUS, (machine.num_cores - _OTHER_CPUS) / num_replicas), 2)
    for name, stage in (("t3", choice.t3), ("vocoder", choice.vocoder)):
        own = {"threads": stage.threads, "dtype": stage.dtype}
        args[name] = dict(args.get(name) or {}) | own
        args |= {f"{name}_replicas": stage.count, f"{name}_cpus": cpus}
    args["vocoder"] |= {"cells": list(choice.ladder)}
    args["topology"] = "split"


def _notes(model: str, machine: Machine, choice: Choice) -> str:
    paragraphs = (
        f"Written by chatterbox-serve tune for the model {model} on this machine:",
        machine.summary,
        summary_of(choice),
        "The number of callers is calculated from what each stage costs alone; /health tells what "
        "the running server bears. Run tune again on another machine, or for another model.",
    )
    lines = (line for each in paragraphs for line in textwrap.wrap(each, _WIDTH))
    return "".join(f"# {line}\n" for line in lines)
