"""`python -m chaos.llm`: the scripted model as a server, for a gateway to call; takes orders (`chaos.llm.failures`)."""

import functools
import sys

from chaos.llm.server import ScriptedLLM
from chaos.standalone import run

if __name__ == "__main__":
    sys.exit(run(functools.partial(ScriptedLLM, controls=True), port=8485, description=__doc__))
