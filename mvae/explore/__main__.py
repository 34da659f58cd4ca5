"""Writes a page that shows the latent space of a trained run, to be opened in any browser, without a network.

  python -m mvae.explore --workdir=runs/torus [--out=torus.html] [--seed=best]

The latent space is drawn as it is and turned by the mouse, a finger or the arrow keys; beside it is what decodes under
the pointer. A click on a code shows its original, its reconstruction and its neighbours, two codes the geodesic
between them. Where the run's data are not at hand, as where it was trained on arrays, --data names a file of examples.

Exit codes: 0 done; 2 bad input.
"""

from pathlib import Path

from absl import flags

from mvae.errors import UsageError
from mvae.programs import launch

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
_OUT = flags.DEFINE_string("out", None, "File of the page; explore.html in the folder of the run if not given.")
_SEED = flags.DEFINE_string("seed", "best", "Which of the run's models: best, of the greatest ELBO, or a seed.")
_DATA = flags.DEFINE_string(
    "data", None, "File of examples to show, as for mvae.encode; the run's own if not given, of the test set first."
)
_LAYER = flags.DEFINE_string("layer", None, "Layer of an .h5ad; X if not given.")


def write(
    workdir: str, out: str | None = None, seed: str = "best", data: str | None = None, layer: str | None = None
) -> str:
    """Writes the page of a run; returns what was done, in a line.

    Args:
        workdir: Folder of the run.
        out: File of the page; None for explore.html in that folder.
        seed: "best" or the number of a seed.
        data: File of examples; None for those of the run.
        layer: Of an .h5ad; None for that of the run's own data.

    Raises:
        UsageError: For whatever is wrong with these, before anything is written.
    """
    import mvae
    from mvae.explore import explore
    from mvae.runs.trained.examples import chosen, examples_of

    run = mvae.load(workdir)
    target = Path(workdir).expanduser() / "explore.html" if out is None else Path(out).expanduser()
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out={target}: the page goes to a file that ends in .html")
    if not target.absolute().parent.is_dir():
        raise UsageError(f"--out={target}: there is no folder {target.parent}")
    x, columns = (None, None) if data is None else examples_of(Path(data).expanduser(), layer, run)
    page = explore(run, x, model=chosen(run, seed), columns=columns).save(target)
    return f"{page.path} ({len(page.html.encode()) / 1e6:.1f} MB): open it in a browser"


def main(argv: list[str]) -> int:
    """Writes the page as the flags say; returns the exit code.

    Raises:
        UsageError: For bad input.
    """
    del argv
    from mvae.engine.compilation_cache import use_compilation_cache
    from mvae.runs.console import log_to_console

    log_to_console()
    use_compilation_cache(None)
    print(write(str(_WORKDIR.value), _OUT.value, str(_SEED.value), _DATA.value, _LAYER.value))
    return 0


if __name__ == "__main__":
    launch(main, name="mvae.explore")
