"""Runs in the toolkit's environment: calls our tools as an agent of the toolkit does.

Builds the functions of a workflow once, wraps them as the toolkit wraps them for LangChain, and
then answers one line of JSON (`tool`, `input`) with one line of JSON (`answer`), in order. The tool
`configure` says whether its input would do as the configuration of `runai_create_environment`.
"""

import asyncio
import json
import sys

from nat.builder.framework_enum import LLMFrameworkEnum
from nat.builder.workflow_builder import WorkflowBuilder
from nat.runtime.loader import load_config

from reconciler.agent.toolkit import CreateConfig


async def main(workflow: str) -> None:
    """Build, say `ready`, answer until standard input ends."""
    config = load_config(workflow)
    async with WorkflowBuilder() as builder:
        for name, function in config.functions.items():
            await builder.add_function(name, function)
        names = list(config.functions)
        tools = {
            tool.name: tool
            for tool in await builder.get_tools(
                tool_names=names, wrapper_type=LLMFrameworkEnum.LANGCHAIN
            )
        }
        say({"ready": names})
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            try:
                if asked["tool"] == "configure":
                    CreateConfig.model_validate(asked["input"]).settings()
                    say({"answer": "accepted"})
                    continue
                answer = await tools[asked["tool"]].ainvoke(asked["input"])
            except Exception as error:  # noqa: BLE001  (its agent hands this to the model)
                answer = f"Tool call failed: {type(error).__name__}: {error}"
            say({"answer": answer})


def say(value: object) -> None:
    """One line on standard output, at once."""
    print(json.dumps(value), flush=True)


asyncio.run(main(sys.argv[1]))
