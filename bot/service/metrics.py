"""Metrics: what monitoring reads (`/metrics`): counts and times of turns, calls and money, in Prometheus' form"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.errors import BadKey, GatewayError, MagpieError, NoMoney, RateLimited, Unreachable, Upstream
from bot.types import Backlog, Chat, LedgerEntry, Reader, TurnState

__all__ = ["Metrics", "Tally", "stranded_turns"]

_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0)
_OURS_OR_THEIRS = BadKey | NoMoney | RateLimited | Unreachable | Upstream  # not the question's fault


def stranded_turns(backlog: Iterable[Backlog], holders: Collection[str]) -> dict[str, tuple[int, int]]:
    """The open turns of accounts that nobody holds: account -> how many, and since when (UTC ms). Their platform is
    switched off, or its process is gone."""
    found: dict[str, tuple[int, int]] = {}
    for each in backlog:
        if each.account not in holders:
            count, since = found.get(each.account, (0, each.since))
            found[each.account] = (count + each.count, min(since, each.since))
    return found


@dataclass(frozen=True, slots=True)
class Tally:
    """The calls of a chat platform that one attempt at a turn has made, by kind, and which of them it was told to make
    later (429)."""

    made: Counts[str] = field(default_factory=Counts)
    refused: Counts[str] = field(default_factory=Counts)


class Metrics:
    """One per process. What happens is counted here as it happens; what stands in the store is read when asked for.
    `account` names the account of a chat, '' if it is the one of the variables: to Prometheus, a label that is empty is
    none."""

    def __init__(self, account: Callable[[Chat], str] = lambda chat: "") -> None:  # noqa: ARG005
        self._account = account
        self._registry = CollectorRegistry()
        self._turns = self._counter("turns", "Questions that have ended", "platform", "account", "outcome")
        self._calls = self._counter("calls", "Calls of a chat platform", "platform", "account", "kind")
        self._refusals = self._counter(
            "refusals", "Calls that the platform asked to make later (429)", "platform", "account", "kind"
        )
        self._requests = self._counter("requests", "Requests to the chat API, by how they ended", "gateway", "finish")
        self._tokens = self._counter("tokens", "Tokens, as reported or estimated", "gateway", "direction")
        self._cost = self._counter("cost", "Cost of requests whose price is known", "gateway", "currency")
        self._visible = self._histogram(
            "first_visible_seconds", "From the question's start to the first text in the chat"
        )
        self._lag = self._histogram("final_lag_seconds", "From the end of an answer until all of it stands in the chat")
        self._open = self._gauge("turns_open", "Turns that have not ended, by state", "state")
        self._stranded = self._gauge("turns_stranded", "Open turns of accounts that no process holds", "account")
        self._since = self._gauge("turns_stranded_since", "When the oldest of them was queued (Unix time)", "account")
        self._balance = self._gauge("balance", "The last balance that the gateway told", "gateway", "currency")
        self._up = self._gauge("gateway_up", "Whether the last request went well", "gateway")
        self._troubles: dict[str, str] = {}

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"magpie_{name}", words, labels, registry=self._registry)

    def _gauge(self, name: str, words: str, *labels: str) -> Gauge:
        return Gauge(f"magpie_{name}", words, labels, registry=self._registry)

    def _histogram(self, name: str, words: str) -> Histogram:
        return Histogram(f"magpie_{name}", words, ["platform", "account"], registry=self._registry, buckets=_SECONDS)

    # ── as it happens ───────────────────────────────────────────────────────────────────────────────────────────────

    def called(self, chat: Chat, tally: Tally) -> None:
        for counter, counts in ((self._calls, tally.made), (self._refusals, tally.refused)):
            for kind, count in counts.items():
                counter.labels(chat.platform, self._account(chat), kind).inc(count)

    def ended(self, chat: Chat, outcome: str, *, visible: float | None = None, lag: float | None = None) -> None:
        """A turn has ended; times in seconds."""
        where = chat.platform, self._account(chat)
        self._turns.labels(*where, outcome).inc()
        if visible is not None:
            self._visible.labels(*where).observe(visible)
        if lag is not None:
            self._lag.labels(*where).observe(lag)

    def asked(self, entries: Iterable[LedgerEntry]) -> None:
        """Requests that have ended."""
        for entry in entries:
            self._requests.labels(entry.gateway, entry.finish or "cut").inc()
            if entry.usage is not None:
                self._tokens.labels(entry.gateway, "in").inc(entry.usage.input)
                self._tokens.labels(entry.gateway, "out").inc(entry.usage.output)
            if entry.cost is not None:
                self._cost.labels(entry.gateway, entry.cost.currency).inc(float(entry.cost.amount))

    def gateway(self, name: str, error: MagpieError | None) -> None:
        """How the gateway answered last. What it has against a single question doesn't count."""
        if error is None:
            self._troubles[name] = ""
        elif isinstance(error, _OURS_OR_THEIRS) or type(error) is GatewayError:
            self._troubles[name] = f"{type(error).__name__}: {error}"
        self._up.labels(name).set(not self._troubles.get(name))

    @property
    def troubles(self) -> Mapping[str, str]:
        """Gateway -> what was wrong with it at the last request, '' if nothing was."""
        return self._troubles

    # ── when asked ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def page(self, reader: Reader, gateway: str) -> bytes:
        """Everything, in the text form of version 0.0.4. Raises StoreError."""
        open_turns = await reader.backlog()
        stranded = stranded_turns(open_turns, await reader.holders())
        for state in (TurnState.WAITING, TurnState.RUNNING, TurnState.DELIVERING):
            self._open.labels(state).set(sum(each.count for each in open_turns if each.state is state))
        self._stranded.clear()
        self._since.clear()
        for account, (count, since) in stranded.items():
            self._stranded.labels(account).set(count)
            self._since.labels(account).set(since / 1000)
        balance = await reader.balance(gateway)
        if balance is not None:
            self._balance.labels(gateway, balance.money.currency).set(float(balance.money.amount))
        return generate_latest(self._registry)
