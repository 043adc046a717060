"""A model behind OpenAI's API that says what a script tells it to, and keeps what it was told.

Each question has the turns that the model takes for it, in order; the turn is found by the number
of answers the model has given in that conversation. So one server plays many conversations, at the
same time, to the toolkit's own clients for NVIDIA's and for OpenAI's models.
"""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_PATIENCE = 120
"""Seconds that a question waits for the end of another one."""
LAST_ANSWER = object()
"""A turn: the tool's last answer as the final answer, word for word."""


@dataclass
class ScriptedModel:
    """The script, and every list of messages that was sent to the model.

    A question that `after` has begins only when the conversation about the other one has ended.
    `answers` are the tools' answers that ended a conversation.
    """

    script: Mapping[str, Sequence[Any]]
    after: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    heard: list[list[dict[str, Any]]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._events = {question: threading.Event() for question in self.script}

    def answer(self, messages: list[dict[str, Any]]) -> str:
        """What the model says next."""
        self.heard.append(messages)
        asked = _text(next(item for item in messages if item["role"] == "user"))
        question = asked.rpartition("Question:")[2].strip()
        turns = self.script.get(question)
        if turns is None:
            self.unknown.append(question)
            return "Thought: I do not know this one.\nFinal Answer: not in the script"
        if question in self.after and not self._events[self.after[question]].wait(_PATIENCE):
            return f"Thought: {self.after[question]!r} never ended.\nFinal Answer: out of order"
        turn = turns[sum(item["role"] == "assistant" for item in messages)]
        if turn is LAST_ANSWER:
            self.answers.append(_text(messages[-1]))
            self._events[question].set()
            return f"Thought: I now know the final answer\nFinal Answer: {_text(messages[-1])}"
        return str(turn)

    @property
    def finished(self) -> list[str]:
        """The questions whose conversations have come to their end."""
        return [question for question, event in self._events.items() if event.is_set()]

    def texts(self) -> str:
        """All that the model was ever told."""
        return "\n".join(_text(item) for messages in self.heard for item in messages)


def use(tool: str, **arguments: Any) -> str:
    """A turn: call a tool."""
    return f"Thought: a tool does that.\nAction: {tool}\nAction Input: {json.dumps(arguments)}\n"


def _text(message: Mapping[str, Any]) -> str:
    content = message["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@contextmanager
def scripted_model(
    script: Mapping[str, Sequence[Any]], after: Mapping[str, str]
) -> Iterator[ScriptedModel]:
    """A running model on a loopback port."""
    model = ScriptedModel(script, after)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = model.answer(body["messages"])
            if body.get("stream"):
                kind, answer = "text/event-stream", _as_stream(text)
            else:
                choice = {"message": {"role": "assistant", "content": text}, **_CHOICE}
                kind, answer = "application/json", json.dumps({**_HEAD, "choices": [choice]})
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer.encode())))
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (its name there)
            """Say nothing: what was asked is in `heard`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    model.url = f"http://127.0.0.1:{server.server_port}/v1"
    try:
        yield model
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_HEAD = {"id": "chatcmpl-1", "created": 0, "model": "scripted", "object": "chat.completion"}
_CHOICE = {"index": 0, "finish_reason": "stop"}


def _as_stream(text: str) -> str:
    """The answer as server-sent events, in two pieces as a real server would send more."""
    half = len(text) // 2
    pieces: list[dict[str, Any]] = [
        {"index": 0, "delta": {"role": "assistant", "content": text[:half]}, "finish_reason": None},
        {"index": 0, "delta": {"content": text[half:]}, "finish_reason": None},
        {"index": 0, "delta": {}, "finish_reason": "stop"},
    ]
    head = {**_HEAD, "object": "chat.completion.chunk"}
    events = [f"data: {json.dumps({**head, 'choices': [piece]})}\n\n" for piece in pieces]
    return "".join(events) + "data: [DONE]\n\n"
