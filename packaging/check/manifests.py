#!/usr/bin/env python3
"""Checks the rendered manifests that are data: JSON and YAML against the schemas beside this file, and all of them against
the archives of the release. Usage: manifests.py RENDERED ARCHIVES"""

import json
import re
import sys
import tomllib
from pathlib import Path

import jsonschema
import yaml

here = Path(__file__).parent
root = here.parent.parent
rendered, archives = Path(sys.argv[1]), Path(sys.argv[2])
version = tomllib.loads((root / "Cargo.toml").read_text())["package"]["version"]
sums = dict(reversed(line.split()) for line in (archives / "SHA256SUMS").read_text().splitlines())
schemas = json.loads((here / "schemas.json").read_text())


def schema(name, data):
    jsonschema.validate(data, {**schemas[name], "definitions": schemas["definitions"]})


def url(address):
    """An address is one of a file of the release; gives its checksum."""
    name = address.rsplit("/", 1)[-1]
    assert f"/v{version}/" in address, f"{address} is not of version {version}"
    assert name in sums, f"{name} is not made by the release"
    return sums[name]


def scoop():
    data = json.loads((rendered / "scoop/mcp-tether.json").read_text())
    schema("scoop", data)
    for name, one in data["architecture"].items():
        assert url(one["url"]) == one["hash"], name
        assert one["url"].endswith(one["extract_dir"] + ".zip"), name
        later = data["autoupdate"]["architecture"][name]
        for field in ("url", "extract_dir"):
            assert later[field].replace("$version", version).split("/")[-1] == one[field].split("/")[-1], field


def winget():
    found = {}
    for file in (rendered / "winget").iterdir():
        data = yaml.safe_load(file.read_text())
        kind = data["ManifestType"]
        schema(f"winget-{kind}", data)
        found[kind] = data
        assert file.name.startswith(data["PackageIdentifier"] + "."), file.name
        assert data["PackageVersion"] == version
    assert set(found) == {"version", "installer", "defaultLocale"}
    for one in found["installer"]["Installers"]:
        assert url(one["InstallerUrl"]) == one["InstallerSha256"]
        for inner in one["NestedInstallerFiles"]:
            folder, program = inner["RelativeFilePath"].split("\\")
            assert one["InstallerUrl"].endswith(f"/{folder}.zip") and program == "mcp-tether.exe"


def registry():
    data = json.loads((rendered / "server.json").read_text())
    schema("server", data)
    package = json.loads((rendered / "npm/package.json").read_text())
    assert package["mcpName"] == data["name"], "the registry compares these"
    for one in [data, *data["packages"]]:
        assert one["version"] == version


def binstall():
    """What cargo-binstall asks for is what the release makes, for each target that it builds."""
    package = tomllib.loads((root / "Cargo.toml").read_text())["package"]
    about = package["metadata"]["binstall"]
    workflow = (root / ".github/workflows/release.yml").read_text()
    targets = set(re.findall(r"target: (\S+)", workflow))
    assert len(targets) == 7, targets
    for target in targets | set(about["overrides"]):
        own = {**about, **about["overrides"].get(target, {})}
        words = {
            "repo": "https://github.com/o/mcp-tether",
            "name": package["name"],
            "version": version,
            "target": target,
            "bin": "mcp-tether",
            "binary-ext": ".exe" if "windows" in target else "",
        }

        def fill(template):
            return re.sub(r"\{ ([a-z-]+) \}", lambda match: words[match[1]], template)

        address = fill(own["pkg-url"])
        url(address)
        ending = {"tgz": ".tar.gz", "zip": ".zip"}[own["pkg-fmt"]]
        assert address.endswith(ending), address
        program = fill(own["bin-dir"])
        folder = address.rsplit("/", 1)[-1].removesuffix(ending)
        assert program == f"{folder}/mcp-tether{words['binary-ext']}", program
    for target in targets:
        ending = "zip" if "windows" in target else "tar.gz"
        assert f"mcp-tether-v{version}-{target}.{ending}" in sums, target


checks = {"scoop": scoop, "winget": winget, "registry": registry, "binstall": binstall}
checks[sys.argv[3]]()
