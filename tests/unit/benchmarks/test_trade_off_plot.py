"""The picture of the trade-off shows what the published study says."""

from benchmarks.study.trade_off_plot import PAGE, PLOT, plot, swaps

POINTS = list(swaps(PAGE.read_text(encoding="utf-8")))


def test_the_picture_is_drawn_from_the_page():
    """`python -m benchmarks.study.trade_off_plot` after a new study keeps both alike."""
    assert PLOT.read_text(encoding="utf-8") == plot(POINTS)


def test_every_published_swap_is_in_the_picture():
    """Trade-offs have an interval, harmless swaps stand near zero, and the verdict decides the colour."""
    tuned = [swap for swap in POINTS if swap.verdict == "trade_off"]
    harmless = [swap for swap in POINTS if swap.verdict == "passed"]
    assert len(tuned) >= 6
    assert len(harmless) >= 9
    assert all(swap.broad < 0 < swap.separation - swap.error for swap in tuned)
    assert all(abs(swap.separation) < 0.01 for swap in harmless)
