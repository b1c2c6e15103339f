"""Allows a packaged template only the architecture that its functions are built for.

Usage: pin.py TEMPLATE ARCHITECTURE. Otherwise a stack of the other architecture would take functions that can't start.
"""

import pathlib
import sys

from samcli.yamlhelper import yaml_dump, yaml_parse


def main(path, architecture):
    template = pathlib.Path(path)
    packaged = yaml_parse(template.read_text(encoding="utf-8"))
    packaged["Parameters"]["Architecture"] |= {"Default": architecture, "AllowedValues": [architecture]}
    template.write_text(yaml_dump(packaged), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
