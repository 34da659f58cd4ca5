import numpy as np
import pytest

from mvae.figures import robust_limits, training_curves

RNG = np.random.default_rng(11)
STEPS = np.arange(10, 1001, 10)


def records(stage="train", seeds=4, steps=STEPS):
    return [
        {
            "stage": stage,
            "step": int(s),
            "elbo": (-10.0 - 5000.0 * np.exp(-s / 20) + RNG.normal(0, 0.1, seeds)).tolist(),
            "time": np.full(seeds, 0.01 ** (s / 1000)).tolist(),
        }
        for s in steps
    ]


def panel(figure, name):
    (ax,) = (ax for ax in figure.axes if ax.get_ylabel().startswith(name))
    return ax


def test_one_panel_a_metric_one_line_a_seed_and_a_mean():
    rows = records()
    figure = training_curves(rows, title="t")
    figure.canvas.draw()  # pyright: ignore
    assert [ax.get_ylabel() for ax in figure.axes] == ["ELBO (nats)", "diffusion time $t$"]
    *seeds, mean = panel(figure, "ELBO").lines
    assert len(seeds) == 4
    values = np.array([r["elbo"] for r in rows])
    for k, line in enumerate(seeds):
        np.testing.assert_allclose(line.get_ydata(), values[:, k])
        assert line.get_linewidth() < mean.get_linewidth()
    np.testing.assert_allclose(mean.get_ydata(), values.mean(1))
    np.testing.assert_array_equal(mean.get_xdata(), STEPS)


def test_a_single_seed_is_one_line_whether_number_or_list():
    rows = [{"step": 1, "kl": 2.0, "mse": [1.0]}, {"step": 2, "kl": 3.0, "mse": [0.5]}]
    figure = training_curves(rows)
    assert [len(ax.lines) for ax in figure.axes] == [1, 1]
    assert not figure.legends


def test_one_record_renders():
    figure = training_curves([{"stage": "train", "step": 5, "elbo": [1.0, 1.0], "mse": [0.0, 0.0]}])
    figure.canvas.draw()  # pyright: ignore
    assert len(figure.axes) == 2


def test_transient_does_not_squash_the_curve():
    low, high = panel(training_curves(records()), "ELBO").get_ylim()
    assert -12 < low < -10.2
    assert -9.8 < high < -8


def test_logarithm_only_for_positive_decades_that_are_not_nats():
    steps = range(1, 101)
    rows = [
        {"step": s, "kl": 10.0**-s if s < 4 else 1.0, "mse": 10 ** (-s / 20), "ratio": s / 100 - 0.5} for s in steps
    ]
    figure = training_curves(rows)
    scales = {ax.get_ylabel(): ax.get_yscale() for ax in figure.axes}
    assert scales == {"KL (nats)": "linear", "mean squared error": "log", "ratio": "linear"}
    assert panel(training_curves([{"step": s, "mse": 1 + s / 100} for s in steps]), "mean").get_yscale() == "linear"


def test_stages_follow_each_other_and_are_marked():
    rows = records("warm-up") + records("main", steps=STEPS[:50])
    figure = training_curves(rows)
    ax = panel(figure, "ELBO")
    assert [t.get_text().strip() for t in ax.texts] == ["warm-up", "main"]
    boundaries = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert [line.get_xdata()[0] for line in boundaries] == [1000]
    mean = ax.lines[4]
    x, y = np.asarray(mean.get_xdata()), np.asarray(mean.get_ydata())
    assert np.nanmax(x) == 1500
    assert np.isnan(y[100])  # no line across the boundary
    assert len(y) == 151
    low, high = ax.get_ylim()
    assert low > -50  # of -5000: neither stage's transient decides
    assert high < -8


def test_steps_counted_through_stay_where_they_are():
    rows = records("a", steps=STEPS[:50]) + records("b", steps=STEPS[50:])
    ax = training_curves(rows).axes[0]
    assert np.nanmax(np.asarray(ax.lines[0].get_xdata())) == 1000
    assert [line.get_xdata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [500]


def test_a_step_logged_twice_counts_as_logged_last():
    rows = [{"step": s, "kl": v} for s, v in ((1, 1.0), (2, 9.0), (3, 9.0), (2, 2.0), (3, 3.0))]
    (line,) = training_curves(rows).axes[0].lines
    np.testing.assert_array_equal(line.get_xydata(), [[1, 1], [2, 2], [3, 3]])


def test_metrics_may_be_logged_at_different_steps():
    rows = [{"step": s, "kl": 1.0 * s} for s in range(1, 9)] + [{"step": 8, "ll": -3.0, "note": "words are no metric"}]
    figure = training_curves(rows)
    assert [len(np.asarray(ax.lines[0].get_xdata())) for ax in figure.axes] == [8, 1]


def test_limits_show_all_where_nothing_is_squashed():
    low, high = robust_limits([0.0, 1.0, 2.0, 3.0])
    assert low < 0.0
    assert high > 3.0


def test_limits_ignore_a_lone_spike_but_not_a_failed_seed():
    values = RNG.normal(0, 1, (200, 10))
    values[150, 3] = 1e6
    assert robust_limits(values)[1] < 10
    values[:, 7] -= 50
    assert robust_limits(values)[0] < -50


def test_limits_of_a_constant_are_not_empty():
    for value in (0.0, 3.0, -2e5):
        low, high = robust_limits(np.full(5, value))
        assert low < value < high


def test_limits_refuse_what_they_cannot_bound():
    for values in ([], [1.0, np.nan]):
        with pytest.raises(ValueError, match=r"^values "):
            robust_limits(values)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "^records must not be empty"),
        ([{"stage": "a", "kl": 1.0}], r"^records\[0\] must have a step"),
        ([{"step": 1}], "^records must hold a metric"),
        (
            [{"step": 1, "kl": 1.0}, {"step": 2, "kl": [1.0, float("nan")]}],
            r"^records\[1\]\['kl'\] must be finite",
        ),
        ([{"step": 1, "kl": None}], r"^records\[0\]\['kl'\] must be finite"),
        ([{"step": 1, "kl": [[1.0]]}], r"^records\[0\]\['kl'\] must be a number"),
        (
            [{"step": 1, "kl": [1.0]}, {"step": 2, "kl": [1.0, 2.0]}],
            "^records must have equally many seeds of 'kl'",
        ),
    ],
)
def test_bad_records_are_named(rows, message):
    with pytest.raises(ValueError, match=message):
        training_curves(rows)
