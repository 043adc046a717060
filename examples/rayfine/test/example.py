"""Load the environments that `example.py` built, and call them: `python test/example.py`."""

from rayfine_env import (
    cleanup_all_environments,
    get_environment,
    list_active_environments,
    load_env,
)


def one_environment() -> None:
    """Start, set up, call, clean up."""
    env = load_env(image="affine:latest", mode="local")
    env.setup(CHUTES_API_KEY="your-api-key")
    print("methods:", ", ".join(env.list_methods()))
    print("ready:", env.is_ready())
    print("sat:", env.evaluate(task_type="sat", num_samples=5))
    print("status:", env.status())
    env.cleanup()


def with_a_context_manager() -> None:
    """The container is removed at the end of the block, also by an error."""
    with load_env(image="affine:latest") as env:
        env.setup(CHUTES_API_KEY="xxx")
        print("sum:", env.evaluate(task_type="sum", num_samples=3))


def several_at_once() -> None:
    """Each in a container of its own."""
    affine = load_env(image="affine:latest")
    hello = load_env(image="hello:latest")
    affine.setup(CHUTES_API_KEY="key1")
    hello.setup(GREETING="Good morning")
    print("tasks:", affine.list_tasks())
    print(hello.hello(name="Ada"))
    assert get_environment(hello.id) is hello
    print("active:", len(list_active_environments()))
    cleanup_all_environments()
    print("active:", len(list_active_environments()))


if __name__ == "__main__":
    one_environment()
    with_a_context_manager()
    several_at_once()
