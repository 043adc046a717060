"""Runs a command that can open no terminal: `no_terminal.py PROGRAM [ARGUMENT...]`.

act gives each step a terminal, as GitHub's runners do not, and now and then waits for good for the
end of its output. Where it gets none, it takes pipes. A filter of system calls refuses the question
for a terminal's number; it needs no rights, and holds for this process and its children alone.
"""

import ctypes
import errno
import os
import platform
import struct
import sys

_IOCTL = {"x86_64": 16, "aarch64": 29}
_TIOCGPTN = 0x80045430
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _FILTER = 22, 38, 2
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _SECOND_ARGUMENT = 0, 24
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_terminals(ioctl: int) -> None:
    """Let the kernel answer EPERM to whoever asks for the other end of a terminal."""
    steps = [
        (_LOAD, 0, 0, _NUMBER),
        (_JUMP_IF_EQUAL, 0, 3, ioctl),
        (_LOAD, 0, 0, _SECOND_ARGUMENT),
        (_JUMP_IF_EQUAL, 0, 1, _TIOCGPTN),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_RETURN, 0, 0, _ALLOW),
    ]
    text = b"".join(struct.pack("=HBBI", *step) for step in steps)
    program = _Program(len(steps), text)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        _PR_SET_SECCOMP, _FILTER, ctypes.byref(program), 0, 0
    ):
        raise OSError(ctypes.get_errno(), "no filter of system calls")


if __name__ == "__main__":
    if sys.platform == "linux" and platform.machine() in _IOCTL:
        refuse_terminals(_IOCTL[platform.machine()])
    os.execv(sys.argv[1], sys.argv[1:])
