"""Tells how many columns a terminal takes for each of a file's texts, one in a line as code points in hexadecimal.

measure.py screen TEXTS RESULTS   within a terminal, which is asked where its cursor stands
measure.py pyte TEXTS RESULTS     by pyte, a terminal that is a library
"""

import os
import sys


def within_terminal():
    import tty

    terminal = os.open("/dev/tty", os.O_RDWR)
    tty.setraw(terminal)

    def measure(text):
        os.write(terminal, b"\r\x1b[2K" + text.encode() + b"\x1b[6n")
        answer = b""
        while not answer.endswith(b"R"):
            answer += os.read(terminal, 64)
        return int(answer.split(b";")[-1][:-1]) - 1

    return measure


def by_pyte():
    import pyte

    screen = pyte.Screen(100, 5)
    stream = pyte.Stream(screen)

    def measure(text):
        screen.cursor.x = 0
        screen.erase_in_line(2)
        stream.feed(text)
        return screen.cursor.x

    return measure


kind, texts, results = sys.argv[1:]
measure = within_terminal() if kind == "screen" else by_pyte()
with open(texts) as lines, open(results + ".part", "w") as output:
    for line in lines:
        output.write(f"{measure(''.join(chr(int(c, 16)) for c in line.split()))}\n")
# Whole from the moment that it is there.
os.rename(results + ".part", results)
