"""Reads the rendered manifest of krew and the formula of Homebrew back: every platform has the checksum of the archive it names."""

import re
import sys
from pathlib import Path

from ruamel.yaml import YAML

folder = Path(sys.argv[1])
sums = {name: digest for digest, name in (line.split() for line in (folder / "SHA256SUMS").read_text().splitlines())}

plugin = YAML(typ="safe").load(folder / "scalelab.yaml")
assert plugin["kind"] == "Plugin" and plugin["spec"]["version"] == "v1.2.3", plugin
assert len(plugin["spec"]["shortDescription"]) <= 50, "krew wants it short"
platforms = {(p["selector"]["matchLabels"]["os"], p["selector"]["matchLabels"]["arch"]): p for p in plugin["spec"]["platforms"]}
assert set(platforms) == {("linux", "amd64"), ("linux", "arm64"), ("darwin", "amd64"), ("darwin", "arm64")}, platforms
for platform in platforms.values():
    assert platform["sha256"] == sums[platform["uri"].rsplit("/", 1)[1]], platform

formula = (folder / "scalelab.rb").read_text()
pairs = re.findall(r'url "([^"]+)"\s+sha256 "([0-9a-f]{64})"', formula)
assert {url.rsplit("/", 1)[1] for url, _ in pairs} == set(sums), pairs
for url, digest in pairs:
    assert digest == sums[url.rsplit("/", 1)[1]], url
print(f"krew: {len(platforms)} platforms, Homebrew: {len(pairs)} archives, each with its checksum")
