"""The project as a server of the Model Context Protocol: tools for models, read-only by default.

`arguments` is what each tool takes, `answers` how a plan becomes a few lines, `workspace` what is
done, `tools` the list that a client sees. None of them imports the SDK; `server` and `http` do.
"""
