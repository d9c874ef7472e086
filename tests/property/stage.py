"""Everything that can happen in a story: what users, workers, the provider, its webhooks, troubles and time do.

Each deed is a method with small arguments and says what it did. Names: ``g1`` is the first generation, ``p1`` the
provider's first prediction.
"""

from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from itertools import count
from typing import Any, TypeVar

from mutoscope.ledger.errors import InsufficientCredits
from mutoscope.replicate_protocol.webhooks import InvalidSignature
from tests.property.power import PowerCut
from tests.property.shop import START, Shop
from tests.property.troubles import CALLS, ERRORS, TROUBLES, TURNS, Surprises, set_trouble
from tests.property.truths import Look, breaches, loose_ends, lost_sight, ref_of

T = TypeVar("T")
Letter = tuple[str | None, dict[str, str], bytes]
PNG = b"\x89PNG\r\n\x1a\n"
PREEMPTED = "Prediction interrupted; please retry (code: PA)"


class Stage:
    """One shop, two accounts, and the deeds."""

    def __init__(self, shop: Shop, note: Callable[[str], object]) -> None:
        self.shop, self.note = shop, note
        self.names: dict[str, str] = {}
        self.mail: list[Letter] = []
        self.troubles: list[tuple[datetime, str]] = []
        self.numbers = count(1)
        self.doubled = 0
        self.denied = self.hidden = False
        self.surprises = Surprises()
        self.accounts = {name: self.run(shop.open_account(name)) for name in ("ann", "bob")}
        for name in self.accounts:
            self.grant(name, 12, None)
        self.look = self.run(Look.at(shop))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        self.touched = True
        return self.shop.run(work)

    def say(self, text: str) -> None:
        self.note(f"  {self.shop.clock.now() - START}  {text}")

    def name(self, generation_id: str) -> str:
        return self.names.setdefault(generation_id, f"g{len(self.names) + 1}")

    # What users do.

    def grant(self, who: str, amount: int, hours: float | None) -> None:
        expires_at = None if hours is None else self.shop.clock.now() + timedelta(hours=hours)
        self.say(f"{who} is granted {amount}, good until {expires_at or 'ever'}")
        self.run(self.shop.grant(self.accounts[who], amount, expires_at))

    def expire(self) -> None:
        self.run(self.shop.expire())

    def ask(self, who: str, model: str, prompt: str, number: int) -> None:
        self.shop.clock.advance(timedelta(milliseconds=1))
        inputs = {"prompt": prompt, "num_outputs": number}
        key = f"key-{next(self.numbers)}"
        for _ in range(2):  # a client asks again with its key when it had no answer
            try:
                row = self.run(self.shop.ask(self.accounts[who], model, inputs, key))
            except InsufficientCredits as refused:
                return self.say(f"{who} asks for {model}: {refused.detail}")
            except PowerCut as cut:
                self.say(f"{who} asks for {model}: no answer, the power fails at {cut}")
            else:
                return self.say(f"{who} asks for {model}: {self.name(row.id)}, holds {row.held_credits}")
        return None

    def cancel(self, which: int) -> None:
        if self.look.rows:
            row = _pick([*self.look.rows.values()], which)
            self.say(f"{self.name(row.id)} is canceled by its user")
            self.run(self.shop.generations.cancel(row.account_id, row.id))

    # What workers do.

    def work(self, limit: int) -> None:
        """The engine's ordinary round."""
        try:
            rows = [*self.run(self.shop.claim_due()), *self.run(self.shop.admit(limit))]
        except PowerCut as cut:
            return self.say(f"the power fails at {cut}")
        for row in rows:
            self.say(f"{self.name(row.id)} in {row.phase}: {self.run(self.shop.work(row))}")
        return None

    def work_slowly(self, which: int, hold_at: int) -> None:
        """One worker takes one row, and is held at its nth outside call."""
        try:
            row = self.run(self.shop.claim(_pick([*self.look.rows], which))) if self.look.rows else None
            rows = [row] if row else self.run(self.shop.admit(1))
        except PowerCut as cut:
            return self.say(f"the power fails at {cut}")
        for row in rows:
            self.say(f"{self.name(row.id)} in {row.phase}: {self.run(self.shop.work(row, hold_at=hold_at))}")
        return None

    def go_on(self, which: int, hold_at: int) -> None:
        if self.shop.held:
            worker = _pick(self.shop.held, which)
            self.say(f"{worker.name} goes on with {self.name(worker.row.id)}, {worker.held_in} ...")
            self.say(self.run(self.shop.go_on(worker, hold_at=hold_at)))

    def kill(self, which: int) -> None:
        if self.shop.held:
            worker = _pick(self.shop.held, which)
            self.say(f"{worker.name} is killed {worker.held_in}")
            self.run(self.shop.kill(worker))

    def cut_power(self, point: str) -> None:
        self.say(f"the next that passes {point} loses its power")
        self.shop.power.armed = point

    # What the provider does.

    def start(self, which: int) -> None:
        if prediction_id := self._prediction(which):
            self.shop.fake.start(prediction_id, logs=" 40%|####      |")
            self.say(f"{prediction_id} runs")

    def finish(self, which: int, ending: str, output: str, seconds: float | None, told: int) -> None:
        """The provider ends a prediction, and tells of it so many times."""
        if not (prediction_id := self._prediction(which)):
            return
        fields: dict[str, Any] = {} if seconds is None else {"metrics": {"predict_time": seconds}}
        match ending:
            case "succeeded":
                fields["output"] = self.output(prediction_id, output)
            case "preempted":
                ending, fields["error"] = "failed", PREEMPTED
            case _:
                fields["error"] = f"it {ending}"
        self.shop.fake.finish(prediction_id, ending, **fields)
        self.say(f"{prediction_id} is {self.shop.fake.look(prediction_id).status}, with {fields}")
        self._tell(prediction_id, with_ref=True, times=told)

    def output(self, prediction_id: str, kind: str) -> Any:
        urls = [self.shop.files.add(f"{prediction_id}-{n}", PNG + f"{prediction_id}-{n}".encode()) for n in range(3)]
        outputs: dict[str, Any] = {
            "one file": urls[0],
            "three files": urls,
            "the same file twice": [urls[0], urls[0]],
            "fields": {"picture": urls[0], "mask": urls[1], "score": 0.5},
            "text": "words",
            "nothing": [],
            "no picture": self.shop.files.add(f"{prediction_id}-text", b"words"),
            "deep": _nested(urls[0], 70),
        }
        return outputs[kind]

    def next_create(self, turn: str) -> None:
        self.say(f"a create to come: {turn}")
        self.shop.fake.script.append(TURNS[turn]())
        self.doubled += turn == "made twice"
        self.denied |= turn == "refused, but made"

    # Troubles, which pass.

    def trouble(self, what: str, error: str, lasts_s: float) -> None:
        self.say(f"trouble for {lasts_s:g} s: {what} {error if what in CALLS else ''}")
        self.hidden |= what in ("list empty", "recent")
        self.troubles.append((self.shop.clock.now() + timedelta(seconds=lasts_s), what))
        set_trouble(self.shop, what, ERRORS[error]())

    # Webhooks.

    def webhook(self, which: int, with_ref: bool, times: int) -> None:
        """Sent now, and delivered now, twice, or later."""
        if prediction_id := self._prediction(which):
            self._tell(prediction_id, with_ref=with_ref, times=times)

    def _tell(self, prediction_id: str, *, with_ref: bool, times: int) -> None:
        letter = self._letter(prediction_id, with_ref=with_ref)
        status = self.shop.fake.look(prediction_id).status
        self.say(f"webhook {letter[1]['webhook-id']}, {prediction_id} is {status}, comes {times} times")
        for _ in range(times):
            self._deliver(letter)
        self.mail.append(letter)

    def late_webhook(self, which: int) -> None:
        if self.mail:
            letter = _pick(self.mail, which)
            self.say(f"webhook {letter[1]['webhook-id']} comes (again)")
            self._deliver(letter)

    def _letter(self, prediction_id: str, *, with_ref: bool) -> Letter:
        ref = ref_of(self.shop.fake.look(prediction_id)) if with_ref else None
        return (ref, *self.shop.fake.webhook(prediction_id, f"m{next(self.numbers)}"))

    def _deliver(self, letter: Letter) -> None:
        ref, headers, body = letter
        age_s = self.shop.clock.now().timestamp() - int(headers["webhook-timestamp"])
        try:
            self.run(self.shop.webhook(ref, headers, body))
        except PowerCut as cut:
            self.say(f"... and the power fails at {cut}")
        except InvalidSignature:
            assert age_s > 300, "a good webhook was refused"

    # Time.

    def wait(self, pause_s: float) -> None:
        self.shop.clock.advance(timedelta(seconds=pause_s))
        now = self.shop.clock.now()
        over = [what for until, what in self.troubles if until <= now]
        self.troubles = [one for one in self.troubles if one[0] > now]
        for what in over:
            set_trouble(self.shop, what, None)

    # What is true.

    def check(self) -> None:
        """Compare the database with the truths, if anything was done to it."""
        if not self.touched:
            return
        before, self.look = self.look, self.run(Look.at(self.shop))
        for row_id, row in self.look.rows.items():
            old = before.rows.get(row_id)
            if old is None or (old.phase, old.outcome) != (row.phase, row.outcome):
                self.say(f"  {self.name(row_id)} is {row.phase} {row.outcome or ''} {row.failure_code or ''}")
        self._assert_none(self.run(breaches(self.shop, before, self.look)))
        self._assert_none(self.surprises.found)
        self.touched = False

    def end(self) -> None:
        """All troubles end, and everything is driven to its end."""
        shop, fake = self.shop, self.shop.fake
        self.say("the end: all troubles are over")
        for what in TROUBLES:
            set_trouble(self.shop, what, None)
        fake.script.clear()
        shop.power.armed = None
        fake.keeps_deadlines = False
        self._drive()
        self._assert_none(list(lost_sight(shop, self.look, denied=self.denied, hidden=self.hidden)))
        for prediction_id in [*fake.predictions]:
            self._deliver(self._letter(prediction_id, with_ref=True))
        self._drive()
        lost = 0
        if shop.machine.policy.webhook_url is None:
            states = ("abandoned", "in_doubt", *(["refused"] if self.denied else []))
            given_up = [attempt for attempt in self.look.attempts if attempt.state in states]
            lost = self.doubled + sum(attempt.prediction_id is None for attempt in given_up)
        self._assert_none(list(loose_ends(shop, self.look, lost=lost, doubled=self.doubled)))

    def close(self) -> None:
        self.surprises.close()
        self.run(self.shop.aclose())

    def _drive(self) -> None:
        """Work until nothing is left to do, as time passes."""
        while self.shop.held:
            self.go_on(0, 0)
        for _ in range(400):
            # Every third one runs until we end it: nobody else does any more. The others succeed.
            for number, prediction_id in enumerate([*self.shop.fake.predictions]):
                if number % 3:
                    self.shop.fake.finish(prediction_id, "succeeded", output=self.output(prediction_id, "one file"))
            self.work(4)
            due = self.run(self.shop.next_time())
            if due is None:
                return self.check()
            self.shop.clock.advance(max(due - self.shop.clock.now(), timedelta(seconds=3)))
        raise AssertionError("it never ends")

    def _prediction(self, which: int) -> str | None:
        # Those that run first, and of them the newest: what happens to them matters most.
        found = [self.shop.fake.look(one) for one in reversed(self.shop.fake.predictions)]
        return _pick(sorted(found, key=lambda one: one.terminal), which).id if found else None

    def _assert_none(self, breaches: list[str]) -> None:
        text = "; ".join(breaches)
        for long, short in [*self.names.items(), *((value, key) for key, value in self.accounts.items())]:
            text = text.replace(long, short)
        assert not text, text


def _pick(things: list[T], which: int) -> T:
    return things[which % len(things)]


def _nested(inner: Any, depth: int) -> Any:
    for _ in range(depth):
        inner = [inner]
    return inner
