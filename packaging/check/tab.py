#!/usr/bin/env python3
"""Types into an interactive shell on a terminal, presses the tab key, and looks at what the line has become.
Usage: tab.py bash|zsh SCRIPT TYPED=WANTED..., where WANTED is how the line goes on from the last word of TYPED. The line is
read when the shell is asked to print it, so nothing waits for a span of time."""

import os
import pty
import select
import sys
import time

DEADLINE = 30

shell, script, cases = sys.argv[1], sys.argv[2], sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PS1="", HISTFILE="")
    if shell == "bash":
        os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
    os.execvp("zsh", ["zsh", "-f", "-i"])

seen = b""


def wait(mark):
    """Reads up to that mark, and gives what came before it."""
    global seen
    end = time.monotonic() + DEADLINE
    while mark not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
        if not ready:
            sys.exit(f"{shell} did not show {mark}; it showed {seen}")
        seen += os.read(terminal, 65536)
    before, seen = seen.split(mark, 1)
    return before


def line(text):
    os.write(terminal, text.encode() + b"\n")


# Control-X P prints the line that is being edited, and empties it. Marks are put together by the shell, so that their echo
# is none.
if shell == "bash":
    line(r"""show() { printf '<%s%s>\n' line: "$READLINE_LINE"; READLINE_LINE=; READLINE_POINT=0; }""")
    line(r"""bind -x '"\C-xp": show'""")
    line(f"source '{script}'")
else:
    line(f"fpath=('{script}' $fpath); autoload -U compinit; compinit -u -D")
    line(r"""show() { print -r -- "<"line:"$BUFFER>"; BUFFER= }; zle -N show; bindkey '^Xp' show""")
line("printf '<%s>\\n' ready:''")
wait(b"<ready:>")
for case in cases:
    # `=` may be in what is typed, too.
    typed, wanted = case.rsplit("=", 1)
    os.write(terminal, typed.encode() + b"\t")
    os.write(terminal, b"\x18p")
    wait(b"<line:")
    found = wait(b">").decode()
    start = typed[: max(typed.rfind(" "), typed.rfind("=")) + 1]
    expected = start + wanted if wanted else typed
    if found != expected:
        sys.exit(f"{shell}: {typed!r} became {found!r}, not {expected!r}")
os.write(terminal, b"exit\n")
