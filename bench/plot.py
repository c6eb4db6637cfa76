# SPDX-License-Identifier: MIT
"""The figures of a run as one SVG: cost by row, latencies at half load, and
how the cost grows.  Plain text, no library."""
import math
from xml.sax.saxutils import escape

WIDTH, HEIGHT, GAP = 420, 240, 70
COLOURS = ("#1b6ca8", "#c8553d", "#588b3b", "#8d5fa8", "#b8860b", "#3a8f8f",
           "#666666", "#d4679a", "#6b4c2a")


def text(x, y, what, anchor="start", size=11):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" '
            f'text-anchor="{anchor}">{escape(str(what))}</text>')


def line(x1, y1, x2, y2, colour="#999"):
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
            f'stroke="{colour}"/>')


def frame(title):
    return [text(0, -12, title, size=13), line(0, 0, 0, HEIGHT),
            line(0, HEIGHT, WIDTH, HEIGHT)]


def bars(rows):
    out = frame("host CPU, µs an activation")
    most = max(r["cpu_us"] for r in rows)
    step = HEIGHT / len(rows)
    for i, r in enumerate(rows):
        width = r["cpu_us"] / most * (WIDTH - 200)
        y = i * step + step * 0.2
        out.append(f'<rect x="0" y="{y:.1f}" width="{width:.1f}" '
                   f'height="{step * 0.6:.1f}" '
                   f'fill="{COLOURS[i % len(COLOURS)]}"/>')
        out.append(text(width + 6, y + step * 0.42,
                        f"{r['name']}  {r['cpu_us']:.1f}"))
    return out


def path(points, colour):
    d = "M" + " L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def nines(share):
    """0 at 0, 1 at 90 %, 2 at 99 %, 4.2 at the end."""
    return 4.2 if share >= 1 else -math.log10(1 - share)


def latencies(rows):
    out = frame("latency at half load, ms (log) over share of requests")
    top = math.log10(max(r["half"]["max_us"] for r in rows) / 1e3 * 1.2)
    low = -2.0
    for share, label in ((0, "0"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"),
                         (1, "worst")):
        x = nines(share) / 4.2 * WIDTH
        out += [line(x, HEIGHT, x, HEIGHT + 4),
                text(x, HEIGHT + 16, label, "middle", 10)]
    for power in range(int(low), math.ceil(top) + 1):
        y = HEIGHT - (power - low) / (top - low) * HEIGHT
        if 0 <= y <= HEIGHT:
            out += [line(0, y, WIDTH, y, "#eee"),
                    text(-6, y + 4, f"{10.0 ** power:g}", "end", 10)]
    for i, r in enumerate(rows):
        colour = COLOURS[i % len(COLOURS)]
        points = [(nines(share) / 4.2 * WIDTH,
                   HEIGHT - (math.log10(max(us / 1e3, 10 ** low)) - low)
                   / (top - low) * HEIGHT) for share, us in r["half"]["curve"]]
        out.append(path(points, colour))
        out.append(f'<g fill="{colour}">'
                   + text(8, 14 + 13 * i, r["name"], size=10) + "</g>")
    return out


def growth(name, points):
    out = frame(f"µs CPU over {name}")
    most = max(p["cpu_us"] for p in points) * 1.15
    xs = [math.log10(p["at"] + 1) for p in points]
    wide = (max(xs) - min(xs)) or 1
    at = [((x - min(xs)) / wide * (WIDTH - 40) + 20,
           HEIGHT - p["cpu_us"] / most * HEIGHT) for x, p in zip(xs, points)]
    out.append(path(at, COLOURS[0]))
    for (x, y), p in zip(at, points):
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" '
                f'fill="{COLOURS[0]}"/>',
                text(x, y - 8, f"{p['cpu_us']:.1f}", "middle", 10),
                text(x, HEIGHT + 16, f"{p['at']:,}", "middle", 10)]
    return out


def svg(result):
    """The drawing of what a run has measured."""
    parts = []
    if result.get("rows"):
        parts += [bars(result["rows"]), latencies(result["rows"])]
    names = {"idle": "idle connections", "clients": "clients known",
             "groups": "counting groups"}
    for key, points in result.get("curves", {}).items():
        parts.append(growth(names[key], points))
    high = (len(parts) + 1) // 2 * (HEIGHT + GAP) + 20
    wide = 2 * (WIDTH + GAP) + 20
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" '
           f'height="{high}" font-family="sans-serif">',
           '<rect width="100%" height="100%" fill="white"/>']
    for i, part in enumerate(parts):
        x, y = i % 2 * (WIDTH + GAP) + 50, i // 2 * (HEIGHT + GAP) + 40
        out.append(f'<g transform="translate({x} {y})">'
                   + "\n".join(part) + "</g>")
    return "\n".join([*out, "</svg>", ""])
