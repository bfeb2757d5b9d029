"""The two applications, as a Serve config names them: `serve_app.app:classify` and `:explain`."""

from typing import Any

from ray import serve
from ray.serve import Application, Deployment

from serve_app.replica import Replica
from serve_app.settings import ServeSettings


def classify(args: dict[str, Any]) -> Application:
    """The application that says label, probabilities and decision. It takes no arguments."""
    return _application("Classify", explain=False)


def explain(args: dict[str, Any]) -> Application:
    """The application that also says where the model looked. It takes no arguments."""
    return _application("Explain", explain=True)


def _application(name: str, *, explain: bool) -> Application:
    settings = ServeSettings()
    deployment: Deployment = serve.deployment(
        name=name,
        user_config={},
        ray_actor_options={"num_cpus": settings.num_cpus},
        autoscaling_config={
            "min_replicas": settings.min_replicas,
            "max_replicas": settings.max_replicas,
            "target_ongoing_requests": settings.max_batch,
        },
        max_ongoing_requests=settings.max_ongoing_requests,
        max_queued_requests=4 * settings.max_ongoing_requests,
        health_check_period_s=5,
        health_check_timeout_s=30,
    )(Replica)
    return deployment.bind(explain=explain)
