"""The `args:` of serve_config.yaml -> the Serve application. The arguments give the resources;
`deployments:` in the same file may override any of Serve's own options."""

from typing import Any

import ray
from ray import serve
from ray.serve import Application

from app.auth.api_keys import refuse_open_doors
from app.config import ServeArgs, load_keys, serves_through_haproxy
from app.engine.stages.card import model_card
from app.errors import ConfigError
from app.hearing_settings import HearingSettings
from app.key_settings import KeySettings
from deployments.colocated import Colocated
from deployments.config_check import alias_faults
from deployments.enroller import Enroller
from deployments.hearing import HearingReplica
from deployments.ingress import Ingress
from deployments.t3 import T3
from deployments.vocoder import Vocoder

QUEUED_PER_SLOT = 4  # sessions that may wait for each engine slot; further ones get 503
ENROLLER_KEPT_S = 600.0  # without a recording: it has 0.6 GB, and takes seconds to start
LONGEST_STREAM_GRACE_S = 10.0
QUEUED_CALLS = 4  # that wait for a recogniser at each ingress
CALLS_SHARE = 0.7  # of its recognisers that a replica of the hearing uses before one is added
HEARING_GRACE_S = 5.0  # a call that is lost is opened again at another replica
# Far above what `admission:` lets in. Serve would queue what is beyond it, also cancels and health.
INGRESS_ONGOING = 100_000


def build(args: ServeArgs) -> Application:
    """Serve's entry point. Raises ConfigError or CheckpointError before anything is deployed."""
    keys = load_keys(args.access)
    # Serve's host is not known here: the config check and RequestGuard check it.
    refuse_open_doors(keys, "127.0.0.1", serves_through_haproxy(), args.access)
    return assemble(args, keys=keys)


def assemble(
    args: ServeArgs,
    t3_class: type[T3] = T3,
    vocoder_class: type[Vocoder] = Vocoder,
    *,
    colocated_class: type[Colocated] = Colocated,
    ingress_class: type[Any] = Ingress,
    keys: tuple[KeySettings, ...] = (),
) -> Application:
    """The application. Tests pass stages of their own, which they can hold or break."""
    card = model_card(args)
    if faults := alias_faults(args, card):
        raise ConfigError("\n".join(faults))
    drain_s = args.limits.request_timeout_s + LONGEST_STREAM_GRACE_S
    options = {
        "graceful_shutdown_timeout_s": drain_s,  # longer than any stream, so no stream is cut
        "health_check_period_s": 2,
        "max_surge_percent": 100,  # an update starts the new replica before it stops the old one
    }
    if args.topology == "colocated":
        speaks = _colocated(args, colocated_class, options)
    else:
        speaks = _split(args, t3_class, vocoder_class, options)
    ingress = serve.deployment(ingress_class, name="Ingress").options(
        num_replicas=args.ingress_replicas,
        max_ongoing_requests=INGRESS_ONGOING,
        ray_actor_options={"num_cpus": 0.1},
        **options,
    )
    has_recordings = args.voices is not None or args.uploads is not None
    enroller = _enroller(args) if has_recordings else None
    hearing = None if args.hearing is None else _hearing(args, args.hearing)
    return ingress.bind(args, card, speaks, enroller, hearing, keys=keys)


def _split(
    args: ServeArgs,
    t3_class: type[T3],
    vocoder_class: type[Vocoder],
    options: dict[str, Any],
) -> Application:
    device = _device(args)
    t3 = serve.deployment(t3_class, name="T3").options(
        num_replicas=args.t3_replicas,
        max_ongoing_requests=args.t3.slots * (1 + QUEUED_PER_SLOT),
        ray_actor_options=_resources(args.t3_cpus, args.t3_gpus, device),
        **options,
    )
    vocoder = serve.deployment(vocoder_class, name="Vocoder").options(
        num_replicas=args.vocoder_replicas,
        max_ongoing_requests=args.vocoder.slots,
        max_queued_requests=args.vocoder.slots * QUEUED_PER_SLOT,
        ray_actor_options=_resources(args.vocoder_cpus, args.vocoder_gpus, device),
        **options,
    )
    return vocoder.bind(args, device, t3.bind(args, device))


def _colocated(
    args: ServeArgs, colocated_class: type[Colocated], options: dict[str, Any]
) -> Application:
    device = _device(args)
    cpus, gpus = args.t3_cpus + args.vocoder_cpus, args.t3_gpus + args.vocoder_gpus
    colocated = serve.deployment(colocated_class, name="Colocated").options(
        num_replicas=args.vocoder_replicas,
        max_ongoing_requests=args.vocoder.slots,
        max_queued_requests=args.vocoder.slots * QUEUED_PER_SLOT,
        ray_actor_options=_resources(cpus, gpus, device),
        **options,
    )
    return colocated.bind(args, device)


def _enroller(args: ServeArgs) -> Application:
    deployment = serve.deployment(Enroller, name="Enroller").options(
        max_ongoing_requests=2,
        ray_actor_options={"num_cpus": 0.5},
        autoscaling_config={
            "min_replicas": 0,
            "max_replicas": 1,
            "downscale_to_zero_delay_s": ENROLLER_KEPT_S,
        },
    )
    return deployment.bind(args)


def _hearing(args: ServeArgs, settings: HearingSettings) -> Application:
    """A call holds a request for as long as it lasts, so Serve counts calls."""
    deployment = serve.deployment(HearingReplica, name="Hearing").options(
        max_ongoing_requests=settings.num_recognisers,
        max_queued_requests=QUEUED_CALLS,
        ray_actor_options={"num_cpus": args.hearing_cpus, "num_gpus": 0},
        autoscaling_config={
            "min_replicas": args.hearing_replicas,
            "max_replicas": max(args.hearing_replicas, args.hearing_max_replicas or 1),
            "target_ongoing_requests": max(1.0, settings.num_recognisers * CALLS_SHARE),
            "downscale_delay_s": 600.0,
        },
        graceful_shutdown_timeout_s=HEARING_GRACE_S,
        health_check_period_s=2,
    )
    return deployment.bind(settings)


def _device(args: ServeArgs) -> str:
    """`auto` is cuda where the cluster has a GPU now. The config of a cluster whose GPU nodes start
    from zero must say `device: cuda`."""
    if args.device != "auto":
        return args.device
    return "cuda" if ray.cluster_resources().get("GPU", 0) > 0 else "cpu"


def _resources(cpus: float, gpus: float, device: str) -> dict[str, Any]:
    if device == "cpu":
        return {"num_cpus": cpus, "num_gpus": 0}
    if gpus <= 0:
        raise ConfigError("device: cuda needs t3_gpus and vocoder_gpus above 0")
    return {"num_cpus": cpus, "num_gpus": gpus}
