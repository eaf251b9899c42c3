"""Print the shell blocks of README.md, one after the other, as a script."""

import re
from pathlib import Path

README = (Path(__file__).parents[1] / "README.md").read_text()
for block in re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
    print(block, end="")
