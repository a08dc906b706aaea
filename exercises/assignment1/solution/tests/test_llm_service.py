import asyncio
from collections.abc import AsyncGenerator

import pytest

from src.models.responses import Usage
from src.services.budget import DailyBudget
from src.services.errors import (
    AccessRefusedError,
    BudgetSpentError,
    ProviderError,
    ProviderFailedError,
    ProviderTimeoutError,
    ProviderUnreachableError,
    RateLimitedError,
    RequestRefusedError,
)
from src.services.llm import LLMService, Receipt, TimeLimits
from src.services.providers import Completion, Prompt, Providers, StreamEnd
from tests.fakes import USAGE, FakeProvider, FakeSleep, prompt

SHORT = TimeLimits(answer=0.05, between_pieces=0.05, stream=1.0)


def make_service(
    *providers: FakeProvider,
    sleep: FakeSleep | None = None,
    budget: float = 10.0,
    limits: TimeLimits | None = None,
) -> LLMService:
    return LLMService(Providers(*providers), DailyBudget(budget), limits=limits, sleep=sleep or FakeSleep())


async def test_an_answer_has_its_text_its_model_and_its_cost() -> None:
    completion, receipt = await make_service(FakeProvider("Forty-two.")).complete(prompt("gpt-4o"))

    assert completion == Completion("Forty-two.", "gpt-4o", USAGE)
    assert receipt == Receipt("gpt-4o", USAGE, (1000 * 2.50 + 200 * 10.00) / 1_000_000)


@pytest.mark.parametrize("error", [RateLimitedError(), ProviderFailedError(), ProviderUnreachableError()])
async def test_a_failure_that_passes_is_retried_after_growing_pauses(error: ProviderError) -> None:
    provider, sleep = FakeProvider(error, error, "At last."), FakeSleep()

    completion, _ = await make_service(provider, sleep=sleep).complete(prompt())

    assert completion.content == "At last."
    assert len(provider.prompts) == 3
    assert 0.1 <= sleep.pauses[0] < 1.0 <= sleep.pauses[1]


async def test_a_failure_that_stays_is_raised_after_two_retries() -> None:
    provider = FakeProvider(ProviderFailedError())

    with pytest.raises(ProviderFailedError):
        await make_service(provider).complete(prompt())

    assert len(provider.prompts) == 3


@pytest.mark.parametrize("error", [RequestRefusedError(), AccessRefusedError(), ProviderTimeoutError()])
async def test_a_failure_that_cannot_pass_is_not_retried(error: ProviderError) -> None:
    provider = FakeProvider(error)

    with pytest.raises(type(error)):
        await make_service(provider).complete(prompt())

    assert len(provider.prompts) == 1


async def test_retry_after_is_the_least_pause() -> None:
    sleep = FakeSleep()

    await make_service(FakeProvider(RateLimitedError(retry_after=2.0), "Hello."), sleep=sleep).complete(
        prompt()
    )

    assert 2.0 <= sleep.pauses[0] < 4.0


async def test_a_long_retry_after_is_not_waited_for() -> None:
    provider, sleep = FakeProvider(RateLimitedError(retry_after=60.0)), FakeSleep()

    with pytest.raises(RateLimitedError) as limited:
        await make_service(provider, sleep=sleep).complete(prompt())

    assert limited.value.retry_after == 60.0
    assert (len(provider.prompts), sleep.pauses) == (1, [])


class ByModel(FakeProvider):
    """Is rate limited for some models."""

    def __init__(self, *limited: str, name: str = "openai") -> None:
        super().__init__(name=name)
        self.limited = limited

    async def complete(self, prompt: Prompt) -> Completion:
        completion = await super().complete(prompt)
        if prompt.model in self.limited:
            raise RateLimitedError
        return completion


async def test_another_model_answers_for_one_that_is_rate_limited() -> None:
    completion, receipt = await make_service(ByModel("gpt-4o")).complete(prompt("gpt-4o"))

    assert completion.model == receipt.model == "gpt-4o-mini"
    assert receipt.cost_usd == pytest.approx((1000 * 0.15 + 200 * 0.60) / 1_000_000)


async def test_the_other_provider_answers_if_the_first_is_rate_limited() -> None:
    claude = ByModel(name="anthropic")

    completion, _ = await make_service(ByModel("gpt-4o", "gpt-4o-mini"), claude).complete(prompt("gpt-4o"))

    assert completion.model == "claude-3-5-sonnet"
    assert len(claude.prompts) == 1


async def test_a_rate_limit_everywhere_is_raised() -> None:
    openai = ByModel("gpt-4o", "gpt-4o-mini")

    with pytest.raises(RateLimitedError):
        await make_service(openai).complete(prompt("gpt-4o"))

    assert [one.model for one in openai.prompts] == ["gpt-4o"] * 3 + ["gpt-4o-mini"]


async def test_other_failures_do_not_fall_back() -> None:
    provider = FakeProvider(ProviderFailedError())

    with pytest.raises(ProviderFailedError):
        await make_service(provider).complete(prompt("gpt-4o"))

    assert {one.model for one in provider.prompts} == {"gpt-4o"}


async def test_claude_is_asked_at_its_own_provider() -> None:
    openai, claude = FakeProvider(), FakeProvider(name="anthropic")

    await make_service(openai, claude).complete(prompt("claude-3-opus"))
    await make_service(openai).complete(prompt("claude-3-opus"))

    assert (len(openai.prompts), len(claude.prompts)) == (1, 1)


async def test_the_cost_of_an_unknown_model_is_not_known() -> None:
    _, receipt = await make_service(FakeProvider()).complete(prompt("a-new-model"))

    assert receipt.cost_usd is None


async def test_a_spent_budget_ends_completions_before_the_provider_is_called() -> None:
    provider = FakeProvider(usage=Usage(input_tokens=400_000, output_tokens=0, total_tokens=400_000))
    service = make_service(provider, budget=1.0)
    await service.complete(prompt("gpt-4o"))

    with pytest.raises(BudgetSpentError):
        await service.complete(prompt("gpt-4o"))
    with pytest.raises(BudgetSpentError):
        await service.stream(prompt("gpt-4o"))

    assert len(provider.prompts) == 1


class Hanging(FakeProvider):
    """Answers nothing, or one piece and then nothing."""

    async def complete(self, prompt: Prompt) -> Completion:
        await asyncio.Event().wait()
        return await super().complete(prompt)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | StreamEnd, None]:
        self.prompts.append(prompt)
        try:
            yield "Well"
            await asyncio.Event().wait()
        finally:
            self.closed_streams += 1


async def test_a_provider_that_hangs_is_given_up() -> None:
    with pytest.raises(ProviderTimeoutError) as error:
        await make_service(Hanging(), limits=SHORT).complete(prompt())

    assert error.value.retry_after is None


async def test_a_stream_has_its_pieces_and_then_its_receipt() -> None:
    provider = FakeProvider("One two three")

    pieces = [piece async for piece in await make_service(provider).stream(prompt("gpt-4o"))]

    assert pieces == ["One", "two", "three", Receipt("gpt-4o", USAGE, 0.0045)]
    assert provider.closed_streams == 1


async def test_a_stream_is_retried_until_its_first_piece() -> None:
    provider = FakeProvider(ProviderFailedError(), "Hello")

    pieces = [piece async for piece in await make_service(provider).stream(prompt())]

    assert pieces[0] == "Hello"
    assert len(provider.prompts) == 2


async def test_a_stream_that_breaks_off_raises() -> None:
    provider = FakeProvider("One two ...")
    pieces = await make_service(provider).stream(prompt())

    assert [await anext(pieces) for _ in range(3)] == ["One", "two", "..."]
    with pytest.raises(ProviderFailedError):
        await anext(pieces)
    assert len(provider.prompts) == 1


async def test_a_stream_that_stalls_is_given_up() -> None:
    provider = Hanging()
    pieces = await make_service(provider, limits=SHORT).stream(prompt())

    assert await anext(pieces) == "Well"
    with pytest.raises(ProviderTimeoutError):
        await anext(pieces)
    assert provider.closed_streams == 1


async def test_a_stream_that_nobody_reads_on_is_closed_and_charged() -> None:
    provider, budget = FakeProvider("word " * 50), DailyBudget(10.0)
    service = LLMService(Providers(provider), budget)
    pieces = await service.stream(prompt("gpt-4o", content="x" * 400))

    await anext(pieces)
    await pieces.aclose()

    assert provider.closed_streams == 1
    assert budget.spent == pytest.approx((100 * 2.50 + 1 * 10.00) / 1_000_000)
