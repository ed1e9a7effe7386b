"""Draws docs/demo.svg, the terminal after a real `make demo ARGS=--exit`: `python -m docs.picture`.

The picture has a background of its own, so it reads on light and dark pages alike, and asks nothing of the network.
"""

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

PICTURE = Path(__file__).with_name("demo.svg")
ROOT = Path(__file__).parents[1]
COMMAND = ("make", "--no-print-directory", "demo", "ARGS=--exit")
TYPED = " ".join(word for word in COMMAND if word != "--no-print-directory")
COLUMNS, LINES = 92, 40
ERASED, UP = re.compile(r"\x1b\[2K"), re.compile(r"\x1b\[(\d*)A")
STYLE = re.compile(r"\x1b\[[\d;]*m")
MOVE = re.compile(r"\x1b\[\?25[lh]|\x1b\[2K|\x1b\[\d*A|\r|\n|(?:\x1b\[[\d;]*m|[^\x1b\r\n])+")

FRAME = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" role="img" xmlns="http://www.w3.org/2000/svg">
<title>The terminal after make demo ARGS=--exit: the system starts, four steps succeed, the system stops</title>
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def record() -> str:
    """Everything that the command writes to a terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(
        COMMAND, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm-256color"}
    )
    os.close(theirs)
    written = b""
    while part := _read(ours):
        written += part
    os.close(ours)
    if process.wait() != 0:
        raise SystemExit(written.decode(errors="replace"))
    return written.decode()


def screen(written: str) -> list[str]:
    """The lines that are left on the terminal, with their colours: all the movements that live displays make."""
    lines, row = [""], 0
    for piece in MOVE.findall(written):
        if piece == "\n":
            row += 1
            lines.extend([""] * (row + 1 - len(lines)))
        elif ERASED.fullmatch(piece):
            lines[row] = ""
        elif moved := UP.fullmatch(piece):
            row = max(0, row - int(moved[1] or 1))
        elif piece != "\r" and not piece.startswith("\x1b[?"):
            lines[row] += piece
    while lines and not STYLE.sub("", lines[-1]).strip():
        lines.pop()
    return lines


def draw(lines: list[str]) -> str:
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text.from_ansi("\n".join([f"\x1b[1m$\x1b[0m {TYPED}", *lines])), soft_wrap=True)
    drawn = console.export_svg(title=TYPED, code_format=FRAME, unique_id="demo")
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # how Linux says that the other end is closed
        return b""


if __name__ == "__main__":
    PICTURE.write_text(draw(screen(record())))
