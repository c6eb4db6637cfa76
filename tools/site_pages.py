#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The documentation as a static site, from the files of the repository.

    site_pages.py FOLDER

writes doc/**/*.md and a few pages of the root as HTML, man pages by mandoc,
and ends with 1 when a link leads to no page, file or anchor.  Links to other
servers are counted, not followed: nothing is asked on the network, and no
page loads anything from elsewhere.
"""
import glob
import html
import html.parser
import os
import posixpath
import re
import shutil
import subprocess
import sys

import markdown

REPO = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# title of a part of the navigation, and its pages; the rest is found
PARTS = (
    ("Guides", ("doc/guide/five-minutes.md", "doc/guide/publisher.md",
                "doc/guide/administrator.md", "doc/guide/developer.md",
                "doc/guide/decisions.md", "doc/guide/from-the-original.md")),
    ("Reference", ("doc/behaviour.md", "doc/host.md", "doc/client.md",
                   "doc/dns.md", "doc/cluster.md", "doc/plan.md",
                   "doc/authority.md", "doc/product.md",
                   "doc/example/README.md", "doc/errors.md",
                   "doc/logs.md")),
    ("Inside", ("doc/protocol.md", "doc/design.md", "doc/performance.md",
                "doc/bench.md", "SECURITY.md", "CONTRIBUTING.md",
                "CHANGELOG.md")),
)
START = "doc/README.md"
REMARK = re.compile(r"^<!--.*?-->\n", re.M | re.S)
# A name of a page in code, as `doc/errors.md` or `musterd.conf(5)`
PAGE_NAME = re.compile(r"<code>([\w./-]+\.md)</code>")
MAN_NAME = re.compile(r"<code>([\w.-]+)\((\d)\)</code>")
MAN_LINK = re.compile(r"\.so man\d/(\S+)$", re.M)
FOREIGN = re.compile(r"^(https?:|mailto:|//)")

STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --dim: #57606a;
 --paper: #fff; --panel: #f4f5f7; --line: #d5d9de; --link: #0b57b0 }
@media (prefers-color-scheme: dark) { :root { --ink: #dfe3e8;
 --dim: #9aa4af; --paper: #15191e; --panel: #1e242b; --line: #38414b;
 --link: #7db4f5 } }
* { box-sizing: border-box }
html { scroll-padding-top: 1rem; -webkit-text-size-adjust: 100% }
body { margin: 0; color: var(--ink); background: var(--paper);
 font: 1rem/1.55 system-ui, sans-serif; display: grid;
 grid-template-columns: 16rem minmax(0, 1fr); min-height: 100vh }
a { color: var(--link) } a:focus-visible { outline: 2px solid var(--link) }
nav { background: var(--panel); border-right: 1px solid var(--line);
 padding: 1rem 1.2rem; font-size: .92rem }
nav a { display: block; padding: .16rem 0; text-decoration: none }
nav a[aria-current] { font-weight: 600; color: var(--ink) }
nav summary { cursor: pointer; font-weight: 600; padding: .5rem 0 .2rem }
nav .home { font-size: 1.15rem; font-weight: 700; color: var(--ink) }
main { padding: 1.2rem 2.2rem 4rem; max-width: 56rem; min-width: 0 }
h1 { line-height: 1.2; margin: .4rem 0 1rem }
h2 { margin: 2.2rem 0 .6rem; padding-top: .8rem;
 border-top: 1px solid var(--line) }
h3 { margin: 1.6rem 0 .4rem }
code, pre { font: .88em/1.5 ui-monospace, "DejaVu Sans Mono", monospace }
:not(pre) > code { background: var(--panel); padding: .08em .28em;
 border-radius: 3px; overflow-wrap: anywhere }
pre { background: var(--panel); border: 1px solid var(--line);
 border-radius: 5px; padding: .7rem .9rem; overflow-x: auto }
pre.text { background: none; border-left-width: 4px; color: var(--dim) }
.wide { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-size: .93rem }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem;
 border-bottom: 1px solid var(--line); min-width: 5.5rem }
th { border-bottom-width: 2px }
.toc { columns: 2; font-size: .92rem; padding: .4rem 0 .6rem }
.toc ul { margin: 0; padding-left: 1.1rem }
.head, .foot { width: 100% } .head td, .foot td, .Nm td { border: 0 }
dl.Bl-tag > dd { margin-left: 2rem } .Bl-compact > dt { margin-top: 0 }
.permalink { color: inherit; text-decoration: none }
@media (max-width: 52rem) { body { display: block }
 nav { border-right: 0; border-bottom: 1px solid var(--line) }
 main { padding: 1rem 1rem 3rem } .toc { columns: 1 }
 table { font-size: .88rem } dl.Bl-tag > dd { margin-left: 1rem } }
@media print { nav { display: none } body { display: block } }
"""


def slug(text, separator="-"):
    """As GitHub makes them, so that one anchor holds in both places."""
    text = re.sub(r"<[^>]*>", "", html.unescape(text)).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", separator)


def target(source):
    """The page of a source file."""
    if source == START:
        return "index.html"
    man = re.fullmatch(r"doc/man/(.*)\.(\d)", source)
    if man:
        return f"man/{man.group(1)}.{man.group(2)}.html"
    name = re.sub(r"^doc/", "", source)
    return re.sub(r"(README)?\.md$", lambda m: "index.html" if m.group(1)
                  else ".html", name)


class Site:
    def __init__(self, out):
        self.out = out
        os.chdir(REPO)
        self.man = sorted(glob.glob("doc/man/*.[1-9]"))
        known = [START, *(p for _, pages in PARTS for p in pages)]
        more = sorted(set(glob.glob("doc/**/*.md", recursive=True)) -
                      set(known))
        self.parts = [*PARTS, *([("More", more)] if more else []),
                      ("Manual pages", self.man)]
        self.pages = known + more + self.man
        self.titles = {p: self.title(p) for p in self.pages}
        self.copied = set()
        self.faults = []

    def title(self, source):
        man = re.fullmatch(r"doc/man/(.*)\.(\d)", source)
        if man:
            return f"{man.group(1)}({man.group(2)})"
        with open(source) as f:
            return re.search(r"^# (.*)$", f.read(), re.M).group(1)

    def navigation(self, page):
        here = posixpath.dirname(target(page))
        lines = [f'<a class="home" href="'
                 f'{posixpath.relpath("index.html", here or ".")}">Muster</a>']
        for name, pages in self.parts:
            is_open = page in pages or page == START
            lines.append(f"<details{' open' if is_open else ''}>"
                         f"<summary>{name}</summary>")
            for p in pages:
                now = ' aria-current="page"' if p == page else ""
                where = posixpath.relpath(target(p), here or ".")
                lines.append(f'<a href="{where}"{now}>'
                             f"{html.escape(self.titles[p])}</a>")
            lines.append("</details>")
        return "\n".join(lines)

    def write(self, page, body):
        path = os.path.join(self.out, target(page))
        here = posixpath.dirname(target(page))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        style = posixpath.relpath("style.css", here or ".")
        with open(path, "w") as f:
            f.write(f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(self.titles[page])} - Muster</title>
<link rel="stylesheet" href="{style}">
</head>
<body>
<nav aria-label="Pages">
{self.navigation(page)}
</nav>
<main>
{body}
</main>
</body>
</html>
""")

    def link(self, page, href):
        """A link of a source, as a link of its page."""
        if FOREIGN.match(href) or href.startswith("#"):
            return href
        path, _, anchor = href.partition("#")
        source = posixpath.normpath(posixpath.join(posixpath.dirname(page),
                                                   path))
        anchor = "#" + anchor if anchor else ""
        here = posixpath.dirname(target(page)) or "."
        if source in self.pages:
            return posixpath.relpath(target(source), here) + anchor
        if os.path.isfile(source):
            self.copied.add(source)
            return posixpath.relpath("files/" + source, here)
        self.faults.append(f"{page}: {href}: no such file")
        return href

    def name(self, page, m):
        """`doc/errors.md` in a text is a link to it."""
        for source in (m.group(1), "doc/" + m.group(1),
                       posixpath.join(posixpath.dirname(page), m.group(1))):
            if source in self.pages and source != page:
                return f'<a href="{source}">{m.group(0)}</a>', source
        return m.group(0), None

    def render(self, page):
        with open(page) as f:
            text = REMARK.sub("", f.read())
        maker = markdown.Markdown(
            extensions=["tables", "fenced_code", "toc", "sane_lists"],
            extension_configs={"toc": {"slugify": slug, "toc_depth": "2-2"}})
        body = maker.convert(text)
        body = re.sub(r'<pre><code class="language-(\w+)">',
                      r'<pre class="\1" tabindex="0"><code>', body)
        body = body.replace("<pre><code>", '<pre tabindex="0"><code>')
        body = body.replace("<table>", '<div class="wide" tabindex="0"><table>')
        body = body.replace("</table>", "</table></div>")
        here = posixpath.dirname(target(page)) or "."

        def relinked(m):
            return f'href="{html.escape(self.link(page, html.unescape(m.group(1))))}"'
        body = re.sub(r'href="([^"]*)"', relinked, body)

        def named(m):
            _, source = self.name(page, m)
            if source is None:
                return m.group(0)
            return f'<a href="{posixpath.relpath(target(source), here)}">' \
                f"{m.group(0)}</a>"
        # not within a link that is there already
        pieces = re.split(r"(<a .*?</a>|<pre.*?</pre>)", body, flags=re.S)
        pieces[::2] = [MAN_NAME.sub(
            lambda m: self.manual(here, m), PAGE_NAME.sub(named, p))
            for p in pieces[::2]]
        body = "".join(pieces)
        toc = maker.toc if len(maker.toc_tokens) > 2 or \
            maker.toc.count("<li>") > 3 else ""
        return re.sub(r"(</h1>)", lambda m: m.group(1) + toc, body, count=1)

    def manual(self, here, m):
        source = f"doc/man/{m.group(1)}.{m.group(2)}"
        if source not in self.man:
            return m.group(0)
        return f'<a href="{posixpath.relpath(target(source), here)}">' \
            f"{m.group(0)}</a>"

    def render_man(self, page):
        source = page
        with open(page) as f:
            link = MAN_LINK.match(f.read())
        if link:  # another name of that page
            source = "doc/man/" + link.group(1)
            if source not in self.man:
                self.faults.append(f"{page}: {link.group(0)}: no such page")
                source = page
        p = subprocess.run(["mandoc", "-Thtml", "-Ofragment,man=%N.%S.html",
                            source], capture_output=True, text=True, check=True)

        def kept(m):
            there = os.path.basename(m.group(1))[:-5]
            return m.group(0) if f"doc/man/{there}" in self.man \
                else f"<span>{m.group(2)}</span>"
        body = re.sub(r'<a class="Xr" href="([^"]*)">(.*?)</a>', kept, p.stdout)
        return f"<h1>{self.titles[page]}</h1>\n" + \
            body.replace("<h1 class=", "<h2 class=").replace(
                "</a></h1>", "</a></h2>").replace("<pre>", '<pre tabindex="0">')

    def build(self):
        shutil.rmtree(self.out, ignore_errors=True)
        os.makedirs(self.out)
        with open(os.path.join(self.out, "style.css"), "w") as f:
            f.write(STYLE.lstrip())
        for page in self.pages:
            self.write(page, self.render_man(page) if page in self.man
                       else self.render(page))
        for source in sorted(self.copied):
            path = os.path.join(self.out, "files", source)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            shutil.copy(source, path)
        return self.faults + check(self.out)


class Links(html.parser.HTMLParser):
    """Anchors of a page, and where it leads or what it loads."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.loads = [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        if tag == "a" and "href" in attrs:
            self.links.append(attrs["href"])
        elif "href" in attrs or "src" in attrs:
            self.loads.append(attrs.get("href") or attrs["src"])


def check(folder):
    """What is wrong with the links of a built site, and which page of a manual
    does not even say its name."""
    seen, faults = {}, []
    for path in sorted(glob.glob(os.path.join(folder, "**/*.html"),
                                 recursive=True)):
        parser = Links()
        with open(path) as f:
            parser.feed(f.read())
        seen[path] = parser
    for path, page in seen.items():
        short = os.path.relpath(path, folder)
        if short.startswith("man/") and "NAME" not in page.ids:
            faults.append(f"{short}: no section NAME")
        faults += [f"{short}: anchor {i} is there twice"
                   for i in sorted(set(page.ids)) if page.ids.count(i) > 1]
        faults += [f"{short}: loads {x} from elsewhere" for x in page.loads
                   if FOREIGN.match(x)]
        for link in page.links + page.loads:
            if FOREIGN.match(link):
                continue
            name, _, anchor = link.partition("#")
            there = os.path.normpath(os.path.join(os.path.dirname(path), name)
                                     if name else path)
            if not os.path.isfile(there):
                faults.append(f"{short}: {link}: no such page")
            elif anchor and there in seen and anchor not in seen[there].ids:
                faults.append(f"{short}: {link}: no such anchor")
    return faults


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    site = Site(os.path.abspath(sys.argv[1]))
    faults = site.build()
    for fault in faults:
        print(fault, file=sys.stderr)
    print(f"{len(site.pages)} pages, {len(site.copied)} files in {sys.argv[1]}; "
          f"{len(faults)} broken links")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
