"""Mutants that no test can tell from the original, each with the reason: (module, the line, what becomes of it)."""

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "core/commands/reversal.py",
        "elif part.expires_at in numbers or order.amount < 0:",
        "elif True:",
    ): "a credit is given the number of a lot that is not there, and is taken from none",
    (
        "core/commands/transfer.py",
        "spent = post(context, EffectPlace(MANUAL, 0, 0), metric, -order.amount, order.reason, earning=False)",
        "spent = post(context, EffectPlace(MANUAL, 0, 0), metric, -order.amount, order.reason, earning=True)",
    ): "a debit is neither multiplied nor capped",
    (
        "mechanics/streaks/freezes.py",
        "freezes=received(state.freezes, 1, rules.streak.freezes_max),",
        "freezes=received(state.freezes, 2, rules.streak.freezes_max),",
    ): "whoever gives a freeze back decides what was missed again, which counts the freezes",
}
