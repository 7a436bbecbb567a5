"""Print the lowest dependencies that pyproject.toml admits, one pin a line."""

import tomllib
from pathlib import Path

project = tomllib.loads(Path(__file__).parent.with_name("pyproject.toml").read_text())["project"]
for requirement in project["dependencies"]:
    name, lowest = requirement.split(">=")
    print(f"{name}=={lowest}" + (".*" if lowest.count(".") < 2 else ""))
