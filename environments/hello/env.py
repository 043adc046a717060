"""The smallest environment: module-level functions.

    env = load_env(image="hello:latest")
    env.setup(GREETING="Good morning")
    env.hello(name="Ada")        # "Good morning, Ada!"

Every public function is a method of the environment. What `setup` is given shows as environment
variables when a function is called.
"""

import os


def hello(name="World"):
    """Greet somebody."""
    greeting = os.getenv("GREETING", "Hello")
    return f"{greeting}, {name}!"


async def echo(value):
    """Give back any JSON value; async functions work just like others."""
    return value
