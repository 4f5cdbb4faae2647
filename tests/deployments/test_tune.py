"""`chatterbox-serve tune` writes a config that serves. The measurements here are made up."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from app.config import ServeArgs
from app.core import Cost
from app.engine.tuning.machine import Machine
from app.engine.tuning.trial import Result, Trial
from app.errors import ConfigError, Unavailable
from deployments import tune
from deployments.config_check import check_config
from deployments.tune import RunTrial, precisions_of, summary_of, write_tuned_config

ROOT = Path(__file__).parents[2]
CPU = ROOT / "deploy/serve/cpu.yaml"
MACHINE = Machine(4, ("avx2",), 64 * 2**30, {1: 1e10, 2: 1.5e10, 4: 2e10})


class Trials:
    """A machine on which twice the threads take 0.6 of the time."""

    def __init__(self, t3_s: float = 0.004, vocoder_s: float = 0.004) -> None:
        self.each_s = {"t3": t3_s, "vocoder": vocoder_s}
        self.asked: list[Trial] = []

    def __call__(self, asked: Trial) -> Result:
        self.asked.append(asked)
        each_s = self.each_s[asked.stage]
        costs = {n: Cost(0.0, each_s * 0.6 ** (n.bit_length() - 1)) for n in asked.threads}
        return Result(costs=costs, memory_bytes=2**30, loading_s=3.0)


def written(
    tmp_path: Path, trials: RunTrial, config: Path = CPU, model: str | None = "random-nano"
):
    out = tmp_path / "tuned.yaml"
    said: list[str] = []
    choice = write_tuned_config(
        config, out, model, said.append, measure=lambda: MACHINE, run_trial=trials
    )
    return choice, out, said


def test_the_written_config_has_no_faults_and_the_chosen_settings(tmp_path):
    choice, out, said = written(tmp_path, Trials())
    (application,) = check_config(out)["applications"]
    args = ServeArgs.model_validate(application["args"])
    assert (args.model, args.device, args.topology) == ("random-nano", "cpu", "split")
    assert (args.t3.threads, args.t3_replicas) == (choice.t3.threads, choice.t3.count)
    assert (args.vocoder.threads, args.vocoder_replicas) == (
        choice.vocoder.threads,
        choice.vocoder.count,
    )
    assert args.vocoder.cells == choice.ladder
    assert args.t3.dtype == choice.t3.dtype
    assert (args.t3.slots, args.vocoder.policy) == (8, "chunked")  # as they were
    assert any("GB/s" in line for line in said)


def test_ray_can_place_all_replicas_beside_the_ingress_and_the_enroller(tmp_path):
    _, out, _ = written(tmp_path, Trials())
    args = ServeArgs.model_validate(yaml.safe_load(out.read_text())["applications"][0]["args"])
    cpus = args.t3_replicas * args.t3_cpus + args.vocoder_replicas * args.vocoder_cpus
    assert cpus + 0.6 <= MACHINE.num_cores


def test_the_file_says_for_which_machine_and_how_many_callers(tmp_path):
    choice, out, _ = written(tmp_path, Trials())
    lines = [line for line in out.read_text().splitlines() if line.startswith("#")]
    assert max(map(len, lines)) <= 100
    notes = " ".join(line.removeprefix("# ") for line in lines)
    assert f"{choice.callers} callers at the same time" in notes
    assert "random-nano" in notes
    assert "cores: 4" in notes


@pytest.mark.parametrize(("load", "is_told"), [(0.1, False), (3.2, True)])
def test_a_machine_on_which_other_programs_run_is_told_as_such(tmp_path, load, is_told):
    said: list[str] = []
    out, busy = tmp_path / "tuned.yaml", replace(MACHINE, load=load)
    write_tuned_config(
        CPU, out, "random-nano", said.append, measure=lambda: busy, run_trial=Trials()
    )
    assert any("load 3.2" in line for line in said) == is_told


def test_a_machine_slower_than_real_time_is_told_as_such(tmp_path):
    choice, _, _ = written(tmp_path, Trials(t3_s=0.2))
    assert "slower than real time" in summary_of(choice)


def test_each_stage_is_measured_in_each_precision_on_the_cpu(tmp_path):
    trials = Trials()
    written(tmp_path, trials)
    assert {trial.args.device for trial in trials.asked} == {"cpu"}
    assert {trial.threads for trial in trials.asked} == {(1, 2, 4)}
    precisions = [trial.args.t3.dtype for trial in trials.asked if trial.stage == "t3"]
    assert precisions == precisions_of("t3", MACHINE.features)


def test_a_precision_that_this_machine_cannot_have_is_left_out(tmp_path, monkeypatch):
    trials = Trials()
    monkeypatch.setattr(tune, "_NEEDS", {})  # a processor that is made for all precisions

    def one_fails(asked: Trial) -> Result:
        if asked.stage == "t3" and asked.args.t3.dtype != "float32":
            raise Unavailable("it cannot be measured: no kernel")
        return trials(asked)

    choice, _, said = written(tmp_path, one_fails)
    assert choice.t3.dtype == "float32"
    assert "t3, bfloat16: it cannot be measured: no kernel" in said
    assert "t3, int8: it cannot be measured: no kernel" in said


def test_a_revision_of_another_model_is_dropped(tmp_path):
    content = yaml.safe_load(CPU.read_text())
    content["applications"][0]["args"] |= {"model": "english", "revision": "1234"}
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump(content))
    _, out, _ = written(tmp_path, Trials(), config)
    assert "revision" not in out.read_text()


def test_a_precision_is_tried_where_the_stage_has_it_and_the_processor_is_made_for_it():
    assert precisions_of("t3", ("avx2",)) == ["float32", "int8"]
    assert precisions_of("t3", ("amx_bf16",)) == ["float32", "bfloat16", "int8"]
    assert precisions_of("vocoder", ("amx_bf16",)) == ["float32", "int8"]


@pytest.mark.parametrize("stage", ["t3", "vocoder"])
def test_every_precision_that_is_tried_is_one_of_the_setting(stage):
    for dtype in precisions_of(stage, ("amx_bf16",)):
        assert ServeArgs.model_validate({stage: {"dtype": dtype}})


def test_a_file_that_exists_is_not_replaced(tmp_path):
    (tmp_path / "tuned.yaml").write_text("mine")
    with pytest.raises(ConfigError, match="exists"):
        written(tmp_path, Trials())
    assert (tmp_path / "tuned.yaml").read_text() == "mine"


def test_a_config_of_several_models_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="one application"):
        written(tmp_path, Trials(), ROOT / "deploy/serve/cluster.yaml")


def test_a_model_that_cannot_be_measured_is_an_error(tmp_path):
    with pytest.raises(Unavailable, match="nothing could be measured"):
        write_tuned_config(
            CPU,
            tmp_path / "tuned.yaml",
            "random-nano",
            lambda _: None,
            measure=lambda: MACHINE,
            run_trial=lambda _: Result(costs={}, memory_bytes=1, loading_s=1.0),
        )


def test_a_trial_without_an_end_is_given_up(tmp_path, monkeypatch):
    endless = tmp_path / "python"
    endless.write_text("#!/bin/sh\nexec sleep 60\n")
    endless.chmod(0o755)
    monkeypatch.setattr(tune.sys, "executable", str(endless))
    monkeypatch.setattr(tune, "_TRIAL_S", 0.1)
    with pytest.raises(Unavailable, match=r"not measured after 0\.1 s"):
        tune._in_a_process(Trial(stage="t3", args=ServeArgs(), threads=(1,)))


def test_the_reason_of_a_failed_trial_is_told(monkeypatch):
    monkeypatch.setattr(tune.sys, "executable", "/bin/false")
    with pytest.raises(Unavailable, match="it cannot be measured: no message"):
        tune._in_a_process(Trial(stage="t3", args=ServeArgs(), threads=(1,)))
