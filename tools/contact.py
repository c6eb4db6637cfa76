#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""SECURITY.md with the address that whoever ships Muster takes reports at.

usage: contact.py SECURITY.md [ADDRESS]; without one the text is as it was
"""
import sys

MARK = "<!-- contact: -Dsecurity_contact=ADDRESS puts it here -->\n"


def with_contact(text, address):
    if text.count(MARK) != 1:
        raise ValueError("no place for the contact in the text, or several")
    if not address:
        return text
    if not address.isprintable():
        raise ValueError("a contact is one line")
    return text.replace(MARK, f"Report it to **{address}**.\n")


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as f:
        sys.stdout.reconfigure(encoding="utf-8")
        sys.stdout.write(with_contact(f.read(), " ".join(sys.argv[2:]).strip()))
