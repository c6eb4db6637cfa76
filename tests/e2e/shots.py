#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Pictures of the status page in each state: light, dark, and on a telephone.

They are for looking at: FOLDER lies outside of the repository, or is ignored.
"""
import argparse
import os
import tempfile

import page_states  # first: it names the folders that hold the rest
import page  # noqa: E402

LOOKS = {"light": ("light", page.WIDE), "dark": ("dark", page.WIDE),
         "narrow": ("light", page.NARROW), "narrow-dark": ("dark", page.NARROW)}


def take(view, path):
    """The page from its top to its end."""
    size = view.d.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"],
            "scale": 1}
    with open(path, "wb") as f:
        f.write(page.picture(view.d, clip))
    print(path, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", metavar="FOLDER")
    out = os.path.abspath(parser.parse_args().folder)
    os.makedirs(out, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="m.") as folder:
        driver = page.browser(os.path.join(folder, "profile"))
        try:
            view = page.Page(driver)
            for name, state in page_states.STATES.items():
                with state(os.path.join(folder, name)) as site:
                    for look, how in LOOKS.items():
                        view.look(*how)
                        view.open(page.status_port(site))
                        take(view, os.path.join(out, f"{name}-{look}.png"))
        finally:
            driver.quit()


if __name__ == "__main__":
    main()
