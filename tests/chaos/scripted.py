"""What a scripted model has seen, for the tests of each of its APIs."""

from chaos.history import Call, Reply
from chaos.llm import ScriptedLLM
from chaos.recorder import Recorder

PATIENCE = 10.0


async def only_call(llm: ScriptedLLM, recorder: Recorder) -> tuple[Call, Reply]:
    """The one chat call of a test with its end, taken from the record as a check would."""
    await llm.wait_for_replies(1, timeout=PATIENCE)
    [call] = recorder.history().calls("litellm")
    assert call.reply is not None
    return call.call, call.reply
