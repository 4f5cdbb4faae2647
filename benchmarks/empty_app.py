"""An application that does nothing: the floor of benchmarks/startup.py. It answers every path."""

from ray import serve


@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Empty:
    async def __call__(self, request: object) -> str:
        return "ok"


app = Empty.bind()  # type: ignore[attr-defined] # Serve is untyped
