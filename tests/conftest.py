"""Settings that every test shares."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "reconciler",
    deadline=None,  # a first call may import an SDK; time is measured in benchmarks/ instead
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("reconciler")
