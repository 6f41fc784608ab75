"""The phone's keys through time: histories of what happens to them, and what is live and handed over."""

import random

from .crypto import MIDNIGHT
from .envelope import note

DAY = 86_400
HOUR = 3600
INTERVALS = 144

note("RollOver", "EDGE_CASE", "a key lives from 00:00 UTC to 00:00 UTC; days without the phone have none")
note("ClockSetBack", "EDGE_CASE", "a clock that goes back takes up the day's secret key again; a key that was handed over is never on air again")
note("ClockAhead", "EDGE_CASE", "keys that a clock left for later than tomorrow are forgotten, and so is, while it is ahead, what is too old by it")
note("Grace", "MISSING_STEP", "a consent holds for 24 hours with both ends, so that the key of its day follows without another question, and no longer")
note("Consent", "MISSING_STEP", "without a consent that holds nothing is handed over; one that has ended or was withdrawn does not come back")
note("DayKey", "MISSING_STEP", "the day's key is handed over when midnight has replaced it, not while it is on air")
note("RetireEarly", "EDGE_CASE", "the day's key is cut short before the running interval and handed over at once; another one takes its place")
note("MidnightSecond", "EDGE_CASE", "a key is kept until 14 days after its end, that second not included: never more than 14 keys of whole days are handed over")
note("Restart", "MISSING_STEP", "what was stored and read again goes on where it was")


class Phone:
    """One entry for each key: [first interval, interval after the last, public]. Numbers in answers are given by the order of mention."""

    def __init__(self, policy):
        self.early = policy == "retire_early"
        self.keys = []
        self.mentioned = []
        self.asked_at, self.why_not = None, "consent_not_given"
        self.release_day = None

    def answer(self, event):
        now = event["at"]
        return getattr(self, event["do"])(now)

    # events

    def live(self, now):
        self.look_at_the_clock(now)
        return self.told(self.key_on_air(now))

    def consent(self, now):
        self.asked_at, self.why_not = now, None
        return {"expires_at": now + DAY}

    def withdraw(self, now):
        self.asked_at, self.why_not, self.release_day = None, "consent_withdrawn", None
        return {}

    def restart(self, now):
        return {}

    def release(self, now):
        self.look_at_the_clock(now)
        if self.why_not:
            return {"refused": self.why_not}
        key = self.key_on_air(now)
        midnight = now - now % DAY + DAY
        later = None
        if self.early:
            self.release_day = None
            if key[0] < now // 600:
                key[1] = now // 600
        elif midnight <= self.asked_at + DAY:
            self.release_day, later = now // DAY, midnight
        return {"keys": self.hand_over([key for key in self.keys if key[1] * 600 <= now]), "day_key_at": later}

    def release_day_key(self, now):
        self.look_at_the_clock(now)
        if self.why_not:
            return {"refused": self.why_not}
        if self.release_day is None:
            return {"refused": "nothing_pending"}
        if now < (self.release_day + 1) * DAY:
            return {"refused": "still_live", "until": (self.release_day + 1) * DAY}
        keys = [key for key in self.keys if key[0] // INTERVALS == self.release_day]
        return {"keys": self.hand_over(keys)} if keys else {"refused": "forgotten"}

    # rules

    def look_at_the_clock(self, now):
        if self.asked_at is not None and not self.asked_at - 7200 <= now <= self.asked_at + DAY:
            self.asked_at, self.why_not = None, "consent_expired"
        tomorrow = now // DAY + 1
        self.keys = [key for key in self.keys if now < key[1] * 600 + 14 * DAY and key[0] // INTERVALS <= tomorrow]

    def key_on_air(self, now):
        interval = now // 600
        secret = [key for key in self.keys if not key[2]]
        for key in secret:
            if key[0] <= interval < key[1]:
                return key
        midnight = interval // INTERVALS * INTERVALS
        day_has_keys = any(key[0] < midnight + INTERVALS and key[1] > midnight for key in self.keys)
        if self.early:
            start = interval if day_has_keys else midnight
        else:
            start = max([midnight] + [key[1] for key in secret if key[1] <= interval])
        end = min([midnight + INTERVALS] + [key[0] for key in secret if key[0] > start])
        self.keys.append([start, end, False])
        return self.keys[-1]

    def hand_over(self, keys):
        for key in keys:
            key[2] = True
        return [self.told(key) | {"embargo_end": key[1] * 600 + 7200} for key in sorted(keys, key=lambda key: key[0])]

    def told(self, key):
        if not any(other is key for other in self.mentioned):
            self.mentioned.append(key)
        number = next(number for number, other in enumerate(self.mentioned) if other is key)
        return {"key": number, "rolling_start_interval_number": key[0], "rolling_period": key[1] - key[0]}


def answers(policy, events):
    phone = Phone(policy)
    return [phone.answer(event) for event in events]


def add(collection):
    group = collection.group("gaen.key_life_cycle")

    def case(comment, policy, history, flags):
        """A history is a list of (seconds after MIDNIGHT, event)."""
        events = [{"at": MIDNIGHT + seconds, "do": event} for seconds, event in history]
        group.test(comment, {"policy": policy, "events": events}, {"answers": answers(policy, events)}, flags=flags)

    late, early = "after_midnight", "retire_early"

    def days(count, seconds=9 * HOUR):
        return [(day * DAY + seconds, "live") for day in range(count)]

    case("one key from midnight to midnight", late, [(s, "live") for s in (50_400, 0, 1, 599, 600, DAY - 1, DAY, 2 * DAY - 1)], ["RollOver"])
    case("days on which the phone was off", late, [(s, "live") for s in (0, DAY - 1, 5 * DAY + 7, 9 * DAY)], ["RollOver"])
    case("the release of a day begun with the phone off makes its key", late, [(0, "live"), (3 * DAY, "consent"), (3 * DAY, "release"), (4 * DAY, "release_day_key")], ["RollOver", "DayKey"])

    noon = 2 * DAY + 12 * HOUR
    case(
        "past keys at once, the day's key after midnight, each as often as asked", late,
        days(3) + [(noon, "consent"), (noon, "release"), (noon + 60, "release"), (noon + 61, "live"), (noon + 61, "release_day_key"),
                   (3 * DAY - 1, "release_day_key"), (3 * DAY, "release_day_key"), (3 * DAY + 1200, "live"), (3 * DAY + 1200, "release_day_key")],
        ["DayKey", "Grace"],
    )
    case("no release, no key of the day", late, days(1) + [(noon, "consent"), (noon, "release_day_key")], ["DayKey"])
    case(
        "the key of the day is too old when there is a consent again", late,
        [(HOUR, "consent"), (HOUR, "release"), (15 * DAY - 1, "consent"), (15 * DAY - 1, "release_day_key"), (15 * DAY, "release_day_key")],
        ["DayKey", "MidnightSecond"],
    )

    case("nobody was asked", late, days(2) + [(DAY + 10 * HOUR, "release"), (DAY + 10 * HOUR, "release_day_key")], ["Consent"])
    case(
        "nobody was asked, and no key is retired", early,
        days(1) + [(10 * HOUR, "release"), (10 * HOUR, "live"), (11 * HOUR, "consent"), (11 * HOUR, "release")], ["Consent", "RetireEarly"],
    )
    for seconds in (DAY - 1, DAY, DAY + 1):
        case(
            f"a release {seconds} seconds after the consent", late,
            days(3) + [(noon, "consent"), (noon + seconds, "release"), (noon + seconds, "release_day_key")], ["Grace", "Consent"],
        )
    case(
        "the key of the day after needs another consent", late,
        days(2) + [(noon, "consent"), (noon, "release"), (3 * DAY + HOUR, "live"), (3 * DAY + HOUR, "release"), (4 * DAY, "release_day_key"),
                   (4 * DAY, "release"), (4 * DAY, "consent"), (4 * DAY, "release"), (5 * DAY, "release_day_key"), (5 * DAY + 1, "release_day_key")],
        ["Grace"],
    )
    case(
        "a consent of 00:00:00 reaches the next 00:00:00", late,
        days(1) + [(DAY, "consent"), (DAY, "release"), (2 * DAY, "release_day_key"), (2 * DAY + 1, "release_day_key")], ["Grace"],
    )
    case(
        "a consent of 23:59:59", late,
        days(1) + [(2 * DAY - 1, "consent"), (2 * DAY - 1, "release"), (2 * DAY, "release_day_key"), (3 * DAY - 1, "release_day_key"), (3 * DAY, "release")],
        ["Grace"],
    )
    case(
        "withdrawn before the day's key, and given again", late,
        days(2) + [(DAY + 12 * HOUR, "consent"), (DAY + 12 * HOUR, "release"), (DAY + 13 * HOUR, "withdraw"), (2 * DAY, "release_day_key"), (2 * DAY, "release"),
                   (2 * DAY + 1, "consent"), (2 * DAY + 1, "release_day_key"), (2 * DAY + 1, "release")],
        ["Consent"],
    )
    case(
        "a consent ends unnoticed by the app, and the clock is set back", late,
        days(2) + [(DAY + 12 * HOUR, "consent"), (2 * DAY + 12 * HOUR + 1, "live"), (2 * DAY + 12 * HOUR, "release")], ["Consent", "ClockSetBack"],
    )
    for seconds in (7200, 7201):
        case(
            f"a clock set back by {seconds} seconds after the consent", late,
            days(2) + [(noon, "consent"), (noon - seconds, "release"), (noon, "release")], ["Consent", "ClockSetBack"],
        )
    case(
        "a consent of a clock that was a year ahead", late,
        [(365 * DAY, "consent"), (0, "live"), (HOUR, "release"), (365 * DAY, "release")], ["Consent", "ClockAhead"],
    )

    case("a clock set back over midnight, and forth", late, [(DAY - 1, "live"), (DAY, "live"), (DAY - 1, "live"), (DAY + 5, "live")], ["ClockSetBack"])
    case(
        "a clock set back into the day of a public key", late,
        days(1) + [(DAY + HOUR, "consent"), (DAY + HOUR, "release"), (14 * HOUR, "live"), (DAY + HOUR, "live"), (DAY + 2 * HOUR, "consent"),
                   (DAY + 2 * HOUR, "release")],
        ["ClockSetBack"],
    )
    case(
        "the second key of a day that the clock repeats starts at the same midnight", late,
        days(1) + [(DAY + HOUR, "consent"), (DAY + HOUR, "release"), (5, "live"), (DAY - 1, "live")], ["ClockSetBack"],
    )
    case(
        "a key for a gap ends where the next secret key begins", early,
        [(0, "live"), (14 * HOUR, "consent"), (14 * HOUR, "release"), (14 * HOUR, "live"), (10 * HOUR, "live"), (14 * HOUR - 1, "live"),
         (14 * HOUR, "live"), (DAY, "consent"), (DAY, "release")],
        ["ClockSetBack", "RetireEarly"],
    )
    case("a clock that was a day ahead leaves tomorrow's key", late, [(DAY, "live"), (0, "live"), (DAY, "live")], ["ClockAhead"])
    case("a clock that was two days ahead leaves nothing", late, [(2 * DAY, "live"), (0, "live"), (DAY, "live"), (2 * DAY, "live")], ["ClockAhead"])
    case(
        "a clock that was a year ahead has cost all keys, also that of the morning", late,
        days(4) + [(365 * DAY, "live"), (3 * DAY + 10 * HOUR, "live"), (3 * DAY + 10 * HOUR, "consent"), (3 * DAY + 10 * HOUR, "release"), (4 * DAY, "release_day_key")],
        ["ClockAhead"],
    )
    case("a key of tomorrow is not handed over", late, [(DAY, "live"), (0, "consent"), (0, "release")], ["ClockAhead"])

    for seconds in (-1, 0, 1):
        case(
            f"20 days, released {seconds:+} seconds from midnight", late,
            days(20) + [(20 * DAY + seconds, "consent"), (20 * DAY + seconds, "release")], ["MidnightSecond"],
        )
    case(
        "the day's key and 14 days, retired early", early,
        days(20) + [(20 * DAY + 5 * HOUR, "live"), (20 * DAY + 5 * HOUR, "consent"), (20 * DAY + 5 * HOUR, "release")], ["MidnightSecond", "RetireEarly"],
    )
    case("a key on its last second, and after it", late, [(0, "live"), (15 * DAY - 1, "consent"), (15 * DAY - 1, "release"), (15 * DAY, "release")], ["MidnightSecond"])

    case(
        "retired early, at once, with a successor until midnight", early,
        days(2) + [(DAY + 50_700, "consent"), (DAY + 50_700, "release"), (DAY + 50_700, "live"), (2 * DAY - 1, "live"), (2 * DAY, "live"),
                   (2 * DAY, "release_day_key"), (2 * DAY, "release")],
        ["RetireEarly"],
    )
    case("a key in its first interval is not retired", early, [(599, "consent"), (599, "release"), (599, "live"), (600, "release"), (600, "live")], ["RetireEarly"])
    case(
        "retired twice on one day", early,
        days(1) + [(36_000, "consent"), (36_000, "release"), (36_000, "live"), (36_599, "release"), (72_000, "release"), (72_000, "live")], ["RetireEarly"],
    )

    case(
        "read again after each step", late,
        [step for event in days(3) + [(noon, "consent"), (noon, "release"), (noon, "live"), (3 * DAY, "release_day_key"), (3 * DAY, "live"), (4 * DAY, "release")]
         for step in (event, (event[0], "restart"))],
        ["Restart"],
    )
    case(
        "withdrawn, and read again", late,
        days(2) + [(noon, "consent"), (noon, "release"), (noon, "withdraw"), (noon, "restart"), (3 * DAY, "release_day_key")], ["Restart", "Consent"],
    )

    rng = random.Random("key life cycle")
    steps = [0, 1, 599, 600, 601, 5 * HOUR, 13 * HOUR, DAY, DAY + 1, 3 * DAY, -601, -2 * HOUR, -2 * HOUR - 1, -30 * HOUR]
    for number in range(16):
        seconds, history = 20 * DAY, []
        for _ in range(30):
            kind = rng.choice(["live"] * 5 + ["consent"] * 2 + ["release"] * 3 + ["release_day_key"] * 2 + ["withdraw", "restart"])
            history.append((seconds, kind))
            seconds = (seconds // DAY + 1) * DAY if rng.random() < 0.2 else seconds + rng.choice(steps)
        policy = [late, early][number % 2]
        case(f"a history by chance, number {number + 1}", policy, history, ["ClockSetBack", "Consent", "Grace"])
