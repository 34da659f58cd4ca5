import numpy as np
import pytest

from mvae.figures import persistence_diagrams

BARS = [np.array([[0.0, 1.0]]), np.array([[0.5, 2.0], [0.5, 0.6]]), np.array([[1.0, 1.1]])]


def test_a_panel_for_each_field_and_bars_in_and_beyond_the_band():
    figure = persistence_diagrams({2: BARS, 3: [*BARS[:1], BARS[1][1:], BARS[2]]}, (1, 1.6, 1.15), title="t")
    figure.canvas.draw()  # pyright: ignore
    ours, other = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["over $F_{2}$", "over $F_{3}$"]
    _, within, beyond, *cavities = ours.collections
    np.testing.assert_allclose(within.get_offsets(), [[0.5, 0.6]])
    np.testing.assert_allclose(beyond.get_offsets(), [[0.5, 2.0]])
    assert len(other.collections[2].get_offsets()) == 0
    np.testing.assert_allclose(cavities[1].get_offsets(), [[1.0, 1.1]])
    for ax in figure.axes:
        assert ax.get_xlim() == ax.get_ylim()
        assert ax.get_xlim()[0] < 0.5
        assert ax.get_ylim()[1] > 2


@pytest.mark.parametrize("bars", [[BARS[0], np.zeros((0, 2))], BARS[:1]])
def test_a_diagram_without_bars_is_drawn(bars):
    persistence_diagrams({2: bars}, (1, 1.6)).canvas.draw()  # pyright: ignore


def test_bad_input():
    with pytest.raises(ValueError, match="diagrams must be of one field or more"):
        persistence_diagrams({}, (1,))
    with pytest.raises(ValueError, match="band must have a ratio for each degree up to 2, got 2"):
        persistence_diagrams({2: BARS}, (1, 1.6))
