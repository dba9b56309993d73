"""Saving and restoring the whole state of a run with Orbax: asynchronous, atomic, no pickle."""

import json
import pathlib
import re
import zlib
from types import TracebackType
from typing import Any

import jax

from dlcourse.errors import UserError, reason
from dlcourse.training.engine import processes

# Every file of a checkpoint with its size and checksum. It is written before the checkpoint is
# renamed into place, so every complete checkpoint has it.
MANIFEST = "files.json"
BLOCK = 1 << 20
# Orbax on an array of another shape.
OTHER_SHAPE = re.compile(
    r"Requested shape: (\(.*?\)) is not compatible with the stored shape: (\(.*?\))"
)


class Damaged(UserError):
    """A checkpoint whose files differ from those that were saved."""


class Checkpoints:
    """The checkpoints of a run folder, the newest `keep` of them.

    Each holds `state`, a tree of arrays, and `progress`, a dict of JSON values. A checkpoint is
    renamed into place when it is complete; it opens on any number of devices and processes.
    """

    def __init__(self, folder: pathlib.Path, keep: int = 2, read_only: bool = False) -> None:
        self.folder, self._keep, self._read_only = folder.resolve(), keep, read_only
        self._open()
        self._newest = self._manager.latest_step()

    def _open(self) -> None:
        # Orbax takes over a second to import, and a run that only prints its help needs none.
        import orbax.checkpoint as ocp
        from orbax.checkpoint.checkpoint_managers import preservation_policy

        self._ocp = ocp
        self._manager = ocp.CheckpointManager(
            self.folder,
            options=ocp.CheckpointManagerOptions(
                preservation_policy=preservation_policy.LatestN(self._keep),
                cleanup_tmp_directories=not self._read_only,
                read_only=self._read_only,
                # A reader must not create a missing folder.
                create=not self._read_only,
                async_options=ocp.AsyncOptions(post_finalization_callback=self._write_manifest),
            ),
        )

    @property
    def newest(self) -> int | None:
        """The step that was saved last; its files may still be being written."""
        return self._newest

    def steps(self) -> list[int]:
        """The steps that have a checkpoint, damaged or not."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: Any, progress: dict) -> None:
        """Copies the state off the devices, and writes it while training continues."""
        args = self._ocp.args
        self.wait()
        self._newest = step
        try:
            self._manager.save(
                step,
                args=args.Composite(
                    state=args.StandardSave(state), progress=args.JsonSave(progress)
                ),
                force=True,
            )
        except _failures() as error:
            raise self._unsaved(error) from error

    def wait(self) -> None:
        """Waits until everything saved is on disk."""
        try:
            self._manager.wait_until_finished()
        except _failures() as error:
            raise self._unsaved(error) from error

    def _unsaved(self, error: Exception) -> UserError:
        if processes.others_are_gone(error):
            raise error
        return UserError(
            f"Saving step {self._newest} in {self.folder} failed: {_first_line(error)}\n"
            "Older checkpoints are kept; make room and start the same command again."
        )

    def _write_manifest(self) -> None:
        if not processes.is_first():
            return
        (unfinished,) = self.folder.glob(f"{self._newest}.orbax-checkpoint-tmp*")
        text = json.dumps(
            {str(file): _fingerprint(unfinished / file) for file in _files(unfinished)}
        )
        (unfinished / MANIFEST).write_text(text)

    def restore(self, like: Any) -> tuple[int, Any, dict] | None:
        """The newest undamaged checkpoint: step, state and progress; None if there is none.

        Damaged ones are moved to the folder `damaged`, so that training can save these steps again.

        Args:
            like: a tree of `jax.ShapeDtypeStruct` with the shardings to restore to.

        Raises:
            UserError: there are checkpoints, but none can be restored.
        """
        failures: list[tuple[int, UserError]] = []
        for step in reversed(self.steps()):
            try:
                state, progress = self.read(step, like)
            except UserError as error:
                failures.append((step, error))
                continue
            # An older one fits `like`, so the newer ones are damaged.
            if failures:
                self._set_aside(failures)
            self._finish_deleting()
            self._newest = step
            return step, state, progress
        if failures:
            raise failures[0][1]
        return None

    def _set_aside(self, failures: list[tuple[int, UserError]]) -> None:
        self._manager.close()

        def rename() -> None:
            for step, error in failures:
                aside = self.folder.parent / "damaged" / str(step)
                aside.parent.mkdir(exist_ok=True)
                number = len([*aside.parent.glob(f"{step}*")])
                (self.folder / str(step)).rename(aside.with_name(f"{step}-{number}"))
                print(f"{error} It was moved to {aside.parent}; the previous one is used.")

        processes.on_first(rename)
        self._open()

    def _finish_deleting(self) -> None:
        """Removes all but the newest `keep`, which a killed process may have begun to do."""
        if not self._read_only:
            for step in self.steps()[: -self._keep]:
                self._manager.delete(step)

    def read(self, step: int, like: Any) -> tuple[Any, dict]:
        """The state and progress of one step.

        Raises:
            UserError: it is damaged, was never saved, or does not fit the tree.
        """
        place = self.folder / str(step)
        processes.on_first(lambda: require_whole(place))
        args = self._ocp.args
        try:
            saved = self._manager.restore(
                step,
                args=args.Composite(state=args.StandardRestore(like), progress=args.JsonRestore()),
            )
        except _failures() as error:
            raise UserError(
                f"The checkpoint {place} cannot be restored: {_first_line(error)}"
            ) from error
        return saved["state"], saved["progress"]

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Waits for files that are still being written.

        One of several processes that fails alone does not wait: the others would not follow.
        """
        if error is None or processes.alone():
            try:
                self._manager.close()
            except _failures() as failure:
                if error is None:
                    raise self._unsaved(failure) from failure


def _failures() -> tuple[type[Exception], ...]:
    """What Orbax and TensorStore raise for files that cannot be written or read."""
    return (ValueError, OSError, KeyError, TypeError, RuntimeError, jax.errors.JaxRuntimeError)


def _first_line(error: Exception) -> str:
    if "No space left on device" in str(error):
        return "No space left on device"  # the full message lists every file
    if shapes := OTHER_SHAPE.search(str(error)):
        asked, saved = shapes.groups()
        return (
            f"it has an array of shape {saved} where this run needs {asked}. The config or the "
            "tokenizer of its folder has changed."
        )
    return reason(error)[:300]


def _files(step: pathlib.Path) -> list[pathlib.Path]:
    """The files in the parts of a checkpoint; Orbax adds its own files beside them later."""
    return sorted(file.relative_to(step) for file in step.glob("*/**/*") if file.is_file())


def _fingerprint(file: pathlib.Path) -> list[int]:
    """Size and CRC-32."""
    checksum, size = 0, 0
    with file.open("rb") as content:
        while block := content.read(BLOCK):
            checksum, size = zlib.crc32(block, checksum), size + len(block)
    return [size, checksum]


def require_whole(step: pathlib.Path) -> None:
    """Compares every file of a checkpoint with the manifest, before anything in it is parsed.

    Raises:
        Damaged: naming the checkpoint and the first file that differs.
    """
    try:
        manifest = json.loads((step / MANIFEST).read_text())
    except FileNotFoundError:
        missing = MANIFEST if step.is_dir() else "everything"
        raise Damaged(f"The checkpoint {step} is incomplete: {missing} is missing.") from None
    except (ValueError, OSError) as error:
        raise Damaged(f"The checkpoint {step} is damaged: {MANIFEST} is unreadable.") from error
    for name, expected in manifest.items():
        file = step / name
        if not file.is_file():
            raise Damaged(f"The checkpoint {step} is damaged: {name} is missing.")
        if _fingerprint(file) != expected:
            raise Damaged(f"The checkpoint {step} is damaged: {name} is not what was saved.")
