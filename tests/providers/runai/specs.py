"""Hypothesis strategies: specs as people write them, of both kinds."""

from typing import Any

from hypothesis import strategies as st

from reconciler.kinds.capabilities import CAPABILITIES
from reconciler.kinds.connections import TOOLS

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")),
    min_size=1,
    max_size=12,
).filter(lambda text: text.strip() == text and "[reconcile:" not in text)
NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
FLAGS = st.booleans()
MEMORY = st.builds(
    lambda number, unit: f"{number}{unit}",
    st.integers(2, 64),  # 1M is less than 1Mi, the least there is
    st.sampled_from(["Mi", "Gi", "M", "G"]),
)
CORES = st.one_of(st.integers(0, 32), st.sampled_from([0.5, 1.5, 2.25]))
PORTS = st.integers(1, 65535)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Any of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


VARIABLES = st.dictionaries(
    NAMES,
    st.one_of(
        st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=10),
        st.builds(lambda value, text: {"value": value, "description": text}, WORDS, WORDS),
        st.builds(lambda key: {"config_map": {"name": "settings", "key": key}}, WORDS),
        st.builds(lambda path: {"pod_field": path}, WORDS),
        st.just({"exclude": True}),
        st.just({"value": "x", "exclude": True}),
    ),
    max_size=3,
)
CONNECTIONS = st.dictionaries(
    WORDS,
    st.one_of(
        st.builds(lambda port: {"tool_type": "custom", "container_port": port}, PORTS),
        st.builds(
            lambda port, flag: {
                "tool_type": "matlab",
                "container_port": port,
                "connection_type": "NodePort",
                "is_custom_port": flag,
            },
            PORTS,
            FLAGS,
        ),
        st.builds(
            lambda port, flag, url: {
                "tool_type": "pycharm",
                "container_port": port,
                "is_custom_url": flag,
                "external_url": url,
            },
            PORTS,
            FLAGS,
            WORDS,
        ),
        st.builds(
            lambda port, protocol: {
                "tool_type": "chatbot-ui",
                "container_port": port,
                "connection_type": "ServingPort",
                **({"protocol": protocol} if protocol else {}),
            },
            PORTS,
            st.sampled_from([None, "grpc", "http"]),
        ),
        st.builds(
            lambda port: {
                "tool_type": "custom",
                "container_port": port,
                "connection_type": "LoadBalancer",
            },
            PORTS,
        ),
        st.builds(lambda url: {"tool_type": "wandb", "external_url": url}, WORDS),
    ),
    max_size=2,
)
PROBES = st.builds(
    lambda http, rest: {"readiness": {"handler": {"http_get": http}, **rest}},
    some(
        path=st.sampled_from(["", "/", "/health"]),
        port=PORTS,
        host=st.just("example.com"),
        scheme=st.sampled_from(["HTTP", "HTTPS"]),
    ),
    some(
        initial_delay_seconds=st.integers(0, 9),
        period_seconds=st.integers(1, 9),
        timeout_seconds=st.integers(1, 9),
        success_threshold=st.integers(1, 9),
        failure_threshold=st.integers(1, 9),
    ),
)
TYPES = st.one_of(
    st.lists(st.sampled_from(["workspace", "training", "inference"]), unique=True),
    st.builds(
        lambda framework: {"distributed": True, "distFramework": framework},
        st.sampled_from(["MPI", "PyTorch", "TF", "TensorFlow", "XGBoost"]),
    ),
)
COMMON = {"description": WORDS, "workload_types": TYPES}


def _with_stdin(spec: dict[str, Any]) -> dict[str, Any]:
    return {**spec, "stdin": True} if spec.get("tty") else spec


ENVIRONMENTS = some(
    **COMMON,
    image=st.sampled_from(["busybox", "busybox:latest", "busybox:1", "r:5000/a/b:2"]),
    image_pull_policy=st.sampled_from(["Always", "Never", "IfNotPresent"]),
    environment_variables=VARIABLES,
    tools=st.lists(st.sampled_from(list(TOOLS)), unique=True, max_size=2),
    connections=CONNECTIONS,
    command=WORDS,
    args=WORDS,
    working_dir=WORDS,
    supplemental_groups=st.sampled_from(["", "1,2"]),
    uid_gid_source=st.sampled_from(["fromTheImage", "fromIdpToken", "custom"]),
    run_as_uid=st.integers(0, 2**40),
    run_as_gid=st.integers(0, 2**40),
    override_uid_gid_in_workspace=FLAGS,
    allow_privilege_escalation=FLAGS,
    capabilities=st.lists(st.sampled_from(CAPABILITIES), max_size=3),
    create_home_dir=FLAGS,
    host_ipc=FLAGS,
    host_network=FLAGS,
    probes=PROBES,
    read_only_root_filesystem=FLAGS,
    run_as_non_root=FLAGS,
    seccomp_profile_type=st.sampled_from(["RuntimeDefault", "Unconfined", "Localhost"]),
    stdin=FLAGS,
    tty=FLAGS,
).map(_with_stdin)

COMPUTES = st.builds(
    lambda *parts: {key: value for part in parts for key, value in part.items()},
    some(
        **COMMON,
        cpu_core_request=CORES,
        cpu_memory_request=MEMORY,
        large_shm_request=FLAGS,
        extended_resources=st.dictionaries(
            WORDS, st.one_of(st.just("2"), st.just({"exclude": True})), max_size=2
        ),
    ),
    st.one_of(
        some(gpu_devices_request=st.integers(0, 8)),
        st.builds(
            lambda part: {
                "gpu_devices_request": 1,
                "gpu_request_type": "portion",
                "gpu_portion_request": part,
                "gpu_portion_limit": 1,
            },
            st.sampled_from([0.25, 0.5, 1, 1.0]),
        ),
        st.builds(
            lambda memory: {
                "gpu_devices_request": 1,
                "gpu_request_type": "memory",
                "gpu_memory_request": memory,
            },
            MEMORY,
        ),
    ),
)
