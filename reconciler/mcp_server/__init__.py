"""The project as a server of the Model Context Protocol: tools for models, read-only by default.

`arguments` is what each tool takes, `tool_answers` how a plan becomes a few lines, `workspace` what
is done, `tools` the list that a client sees. Only `protocol` and `http` import the SDK.
"""
