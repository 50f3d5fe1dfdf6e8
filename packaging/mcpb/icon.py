#!/usr/bin/env python3
"""Draws icon.png: two rings and the line that ties them together. Needs nothing but Python: packaging/mcpb/icon.py OUT"""

import struct
import sys
import zlib

SIZE = 512
SAMPLES = 3
BACK = (24, 32, 52)
FRONT = (244, 246, 250)
ACCENT = (94, 196, 176)


def colour(x, y):
    """The colour and the cover at a point, both sides of the picture being 1 long."""
    # The tile's corners are round.
    edge, radius = 0.04, 0.2
    dx = max(edge + radius - x, x - (1 - edge - radius), 0)
    dy = max(edge + radius - y, y - (1 - edge - radius), 0)
    if dx * dx + dy * dy > radius * radius:
        return BACK, 0
    for centre, ring in ((0.3, FRONT), (0.7, ACCENT)):
        distance = ((x - centre) ** 2 + (y - 0.5) ** 2) ** 0.5
        if 0.085 <= distance <= 0.145:
            return ring, 1
    if abs(y - 0.5) <= 0.03 and 0.445 <= x <= 0.555:
        return FRONT, 1
    return BACK, 1


def pixel(column, row):
    total = [0, 0, 0, 0]
    for i in range(SAMPLES):
        for j in range(SAMPLES):
            (r, g, b), cover = colour(
                (column + (i + 0.5) / SAMPLES) / SIZE, (row + (j + 0.5) / SAMPLES) / SIZE
            )
            for at, value in enumerate((r * cover, g * cover, b * cover, cover)):
                total[at] += value
    if total[3] == 0:
        return bytes(4)
    r, g, b = (round(value / total[3]) for value in total[:3])
    return bytes((r, g, b, round(255 * total[3] / SAMPLES**2)))


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


rows = b"".join(b"\0" + b"".join(pixel(c, r) for c in range(SIZE)) for r in range(SIZE))
with open(sys.argv[1], "wb") as out:
    out.write(b"\x89PNG\r\n\x1a\n")
    out.write(chunk(b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, 6, 0, 0, 0)))
    out.write(chunk(b"IDAT", zlib.compress(rows, 9)))
    out.write(chunk(b"IEND", b""))
