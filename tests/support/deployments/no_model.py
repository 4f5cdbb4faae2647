"""An application without a model, for tests of the process that runs a server."""

from ray import serve
from starlette.requests import Request


@serve.deployment(ray_actor_options={"num_cpus": 0.1})
class Healthy:
    async def __call__(self, request: Request) -> str:
        return "ok"


app = Healthy.bind()
