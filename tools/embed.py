#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Files of the status page as a table in C.

usage: embed.py OUT PATH=FILE...

Each file is served at PATH; "/" stands for index.html.  The tag is of the
content, so a browser asks again only for what has changed."""
import hashlib
import os
import sys

TYPES = {".html": "text/html; charset=utf-8",
         ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8",
         ".svg": "image/svg+xml",
         ".uPlot": "text/plain; charset=utf-8"}  # its licence
BYTES_A_LINE = 20
FILE_MAX = 256 * 1024  # the page stays small


def array(n, data):
    lines = [",".join(map(str, data[i:i + BYTES_A_LINE]))
             for i in range(0, len(data), BYTES_A_LINE)]
    return (f"static const unsigned char asset_{n}[] = {{\n" +
            ",\n".join(lines) + "\n};\n")


def main(out, pairs):
    rows, arrays = [], []
    for n, pair in enumerate(sorted(pairs)):
        path, file = pair.split("=", 1)
        kind = TYPES.get(os.path.splitext(file)[1])
        with open(file, "rb") as f:
            data = f.read()
        if kind is None or not 0 < len(data) <= FILE_MAX:
            sys.exit(f"embed.py: {file}: {len(data)} bytes of no known kind, "
                     f"or not 1 to {FILE_MAX}")
        tag = hashlib.sha256(data).hexdigest()[:32]
        arrays.append(array(n, data))
        rows.append(f'    {{.path = "{path}", .type = "{kind}",\n'
                    f"        .bytes = asset_{n}, .len = sizeof(asset_{n}),\n"
                    f'        .etag = "\\"{tag}\\""}},\n')
    with open(out, "w") as f:
        f.write("/* Made by tools/embed.py. */\n"
                '#include "host/assets.h"\n\n#include <string.h>\n\n' +
                "\n".join(arrays) +
                "\nstatic const struct asset assets[] = {\n" +
                "".join(rows) + "};\n\n"
                "const struct asset *\nasset_find(const char *path)\n{\n"
                "\tfor (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); "
                "i++)\n"
                "\t\tif (strcmp(assets[i].path, path) == 0)\n"
                "\t\t\treturn &assets[i];\n"
                "\treturn NULL;\n}\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
