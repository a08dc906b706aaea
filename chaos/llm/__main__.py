"""`python -m chaos.llm`: the scripted model as a server, for a gateway to call."""

import sys

from chaos.llm.server import ScriptedLLM
from chaos.stand_in import run

if __name__ == "__main__":
    sys.exit(run(ScriptedLLM, port=8485, description=__doc__))
